"""HTX's signatures against vectors: of its own clients, of an independent one, and made up ones that two agree on."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from connectors.huobi import signing
from connectors.trading import Credentials
from tests.paths import needs_shared, shared

DEMO = Credentials("demo-key-1", "demo-secret-1")
JUNE_NS = 1_780_272_000_000_000_000
"""2026-06-01T00:00:00"""


def vectors(name: str) -> Iterator[dict[str, Any]]:
    yield from (vector for vector in json.loads(shared("signing", name).read_text()) if vector["venue"] == "htx")


@needs_shared
def test_the_venues_own_vectors() -> None:
    found = list(vectors("official.json"))
    assert len(found) == 3
    for vector in found:
        signed = signing.sorted_query(dict(parse_qsl(vector["query"])))
        assert signed == vector["query"], vector["id"]
        made = signing.signature(vector["secret"], vector["method"], vector["host"], vector["path"], signed)
        assert made == vector["signature"], vector["id"]


@needs_shared
def test_an_independent_clients_vectors() -> None:
    found = list(vectors("derived.json"))
    assert len(found) == 1
    for vector in found:
        credentials = Credentials(vector["api_key"], vector["secret"])
        url = urlsplit(vector["signed"]["url"])
        made = signing.signed_path(
            credentials, vector["signed"]["method"], url.netloc, url.path, {}, vector["clock_ms"] * 1_000_000
        )
        assert made == f"{url.path}?{url.query}"


@pytest.mark.parametrize(
    ("method", "path", "parameters", "query", "signature"),
    [
        (
            "GET",
            "/v1/order/openOrders",
            {"symbol": "btcusdt"},
            "AccessKeyId=demo-key-1&SignatureMethod=HmacSHA256&SignatureVersion=2"
            "&Timestamp=2026-06-01T00%3A00%3A00&symbol=btcusdt",
            "lmtvN4mhsI3s95gh2VUUZ1DJJ1Q5dKavIlvZo71lrJk%3D",
        ),
        (
            "POST",
            "/v1/order/orders/place",
            {},
            "AccessKeyId=demo-key-1&SignatureMethod=HmacSHA256&SignatureVersion=2&Timestamp=2026-06-01T00%3A00%3A00",
            "A2QVLizlW5A3utHFEdF68i3MU%2FgJWAR365aCwQumaoI%3D",
        ),
    ],
)
def test_a_request_is_signed_in_its_path(
    method: str, path: str, parameters: dict[str, str], query: str, signature: str
) -> None:
    made = signing.signed_path(DEMO, method, "api.huobi.pro", path, parameters, JUNE_NS + 999_999_999)
    assert made == f"{path}?{query}&Signature={signature}"


@pytest.mark.parametrize(
    ("path", "signature"),
    [
        ("/ws/v2", "u+VqhhWt/YZ/4RsEY92CPLqpPd3ch5x/7yrRRHqnHH0="),
        ("/ws/trade", "5z26QQ54wwhSQhf0a7ywghkZjJxuHpr9l/KueBrfYEE="),
    ],
)
def test_a_login_is_signed_beside_its_parameters(path: str, signature: str) -> None:
    assert signing.login(DEMO, "api.huobi.pro", path, JUNE_NS) == {
        "authType": "api",
        "accessKey": "demo-key-1",
        "signatureMethod": "HmacSHA256",
        "signatureVersion": "2.1",
        "timestamp": "2026-06-01T00:00:00",
        "signature": signature,
    }


def test_the_host_is_signed_in_lower_case_and_with_its_port() -> None:
    path = "/v1/account/accounts"
    called = signing.signed_path(DEMO, "GET", "API.Huobi.Pro", path, {}, JUNE_NS)
    assert called == signing.signed_path(DEMO, "GET", "api.huobi.pro", path, {}, JUNE_NS)
    assert called != signing.signed_path(DEMO, "GET", "api.huobi.pro:8443", path, {}, JUNE_NS)


def test_whatever_is_asked_for_comes_back_from_the_query() -> None:
    asked = {"b": "a b&c=d/é", "A": "~._-", "a": ""}
    made = signing.signed_path(DEMO, "GET", "host", "/path", asked, JUNE_NS)
    told = dict(parse_qsl(made.partition("?")[2], keep_blank_values=True))
    assert {name: told[name] for name in asked} == asked
    assert "%C3%A9" in made
    assert " " not in unquote(made).replace("a b&c", "")
