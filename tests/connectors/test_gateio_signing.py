"""Gate's signatures against the venue's published examples, and against what others computed."""

import hashlib
import json
from typing import Any

import pytest

from connectors.gateio.signing import call_signature, subscription_signature
from tests.paths import needs_shared, shared

PLACING = (
    b'{"text":"t-agg-0001","currency_pair":"BTC_USDT","type":"limit","account":"spot","side":"buy","amount":"0.001",'
    b'"price":"60000","time_in_force":"poc"}'
)
FUTURES_PLACING = b'{"contract":"BTC_USD","type":"limit","size":100,"price":6800,"time_in_force":"gtc"}'


@pytest.mark.parametrize(
    ("method", "query", "body", "signature"),
    [
        (
            "GET",
            "contract=BTC_USD&status=finished&limit=50",
            b"",
            "55f84ea195d6fe57ce62464daaa7c3c02fa9d1dde954e4c898289c9a2407a3d6"
            "fb3faf24deff16790d726b66ac9f74526668b13bd01029199cc4fcc522418b8a",
        ),
        (
            "POST",
            "",
            FUTURES_PLACING,
            "eae42da914a590ddf727473aff25fc87d50b64783941061f47a3fdb92742541f"
            "c4c2c14017581b4199a1418d54471c269c03a38d788d802e2c306c37636389f0",
        ),
    ],
)
def test_the_venues_own_examples(method: str, query: str, body: bytes, signature: str) -> None:
    assert call_signature("secret", method, "/api/v4/futures/orders", query, body, "1541993715") == signature


@pytest.mark.parametrize(
    ("method", "query", "body", "signature"),
    [
        (
            "POST",
            "",
            PLACING,
            "868ae4066a59505eefa4bc3c8165bafa51255eb9aa58ed16cee97a8c4df11396"
            "25c0bce69d8c922a7fac710e109f85fb463eb96d88dff10e1730235ef53457cd",
        ),
        (
            "GET",
            "currency_pair=BTC_USDT&status=open",
            b"",
            "7341a2d68a10356806ec497cd9cb83173c776fe817f7b337527354f04f17da58"
            "35bbb30676b12035bc81a942471508424fe89cb97ba1bd0ba9e43c289a95f4e1",
        ),
    ],
)
def test_examples_that_another_client_agrees_with(method: str, query: str, body: bytes, signature: str) -> None:
    assert call_signature("demo-secret-1", method, "/api/v4/spot/orders", query, body, "1780000000") == signature


def test_a_body_is_signed_by_its_hash() -> None:
    assert hashlib.sha512(PLACING).hexdigest() == (
        "42771324685be54f81a963b2caefaf0c223d9ffdc3ce4da0a63cdfd3d83973db"
        "cb00f38ad11a522c636736656229d29c90866f15bda4a9acbe93c2a8feb18052"
    )


def test_a_subscription() -> None:
    assert subscription_signature("demo-secret-1", "spot.orders", "subscribe", 1780000000) == (
        "34dee2d6a66be7110e421febfbcc99de89c2d5ed264b9d5c602b123504af8777"
        "caddb921af35ad7b115820c14f912c5cd5bb190732ac1c967deccd6934e9aacb"
    )


def vectors(name: str) -> list[dict[str, Any]]:
    found = [vector for vector in json.loads(shared("signing", name).read_bytes()) if vector["venue"] == "gate"]
    assert found
    return found


@needs_shared
def test_the_official_vectors() -> None:
    for vector in vectors("official.json"):
        secret, method, path, query = (vector[name] for name in ("secret", "method", "path", "query"))
        signature = call_signature(secret, method, path, query, vector["body"].encode(), vector["timestamp"])
        assert signature == vector["signature"]


@needs_shared
def test_the_derived_vectors() -> None:
    for vector in vectors("derived.json"):
        signed = vector["signed"]
        path, _, query = signed["url"].removeprefix("https://api.gateio.ws").partition("?")
        body = (signed.get("body") or "").encode()
        timestamp = signed["headers"]["Timestamp"]
        assert call_signature(vector["secret"], signed["method"], path, query, body, timestamp) == vector["signature"]
