"""Crypto.com's signatures, held against vectors that were made without this code."""

import json
from typing import Any

import pytest

from connectors.cryptocom.order_wire import login, signed_request
from connectors.cryptocom.signing import signature, written
from connectors.trading import Credentials
from tests.paths import needs_shared, shared

DEMO = Credentials("demo-key-1", "demo-secret-1")
NOW_MS = 1_780_000_000_000

ORDER = {
    "instrument_name": "BTC_USDT",
    "side": "BUY",
    "type": "LIMIT",
    "price": "60000.00",
    "quantity": "0.0010",
    "client_oid": "agg-0001",
    "exec_inst": ["POST_ONLY"],
    "time_in_force": "GOOD_TILL_CANCEL",
}
LEGS = [
    {"instrument_name": "BTC_USDT", "side": side, "type": "LIMIT", "price": price, "quantity": "0.0010"}
    for side, price in (("BUY", "60000.00"), ("SELL", "61000.00"))
]
LIST = {"contingency_type": "LIST", "order_list": LEGS}

VECTORS = [
    ("public/auth", 11, {}, "aea7e986e5027c37ea4190a685f83d090b947eab2588459c76d202c6354f147c"),
    ("private/create-order", NOW_MS, ORDER, "38347c88698cf86ef09472fd83f00ac396d2121075178a629b9addc31dd5981e"),
    ("private/create-order-list", NOW_MS, LIST, "397b8b2b2c4a48d74663fe70728d0c9929f87e1b3fe23f9f8c1b7b2a5b8f488f"),
]


@pytest.mark.parametrize(("method", "request_id", "params", "expected"), VECTORS)
def test_a_request_is_signed(method: str, request_id: int, params: dict[str, object], expected: str) -> None:
    assert signature(DEMO, method, request_id, params, NOW_MS) == expected


@needs_shared
def test_every_vector_of_the_venue() -> None:
    found = 0
    for file in ("official.json", "derived.json"):
        for vector in json.loads(shared("signing", file).read_text(encoding="utf-8")):
            if vector["venue"] != "crypto.com":
                continue
            credentials = Credentials(vector["api_key"], vector["secret"])
            time_ms, request = vector["clock_ms"], vector["request"]
            params = request["params"]
            signed = signature(credentials, request["path"], time_ms, params, time_ms)
            assert signed == vector["signature"], vector["payload"]
            assert written(params) in vector["payload"]
            found += 1
    assert found >= 3


def test_what_the_parameters_are_written_as() -> None:
    nested: dict[str, Any] = {"b": None, "a": [1, {"y": "2", "x": True}], "c": {"d": {"e": "3"}}}
    assert written(nested) == "a1xtruey2bnullcde3"


def test_a_request_carries_what_it_is_signed_with() -> None:
    request = json.loads(signed_request(DEMO, "private/create-order", ORDER, NOW_MS, NOW_MS))
    assert (request["id"], request["nonce"], request["api_key"]) == (NOW_MS, NOW_MS, "demo-key-1")
    assert (request["params"], request["sig"]) == (ORDER, VECTORS[1][3])
    assert json.loads(login(DEMO, 11, NOW_MS))["sig"] == VECTORS[0][3]


def test_the_secret_is_in_no_request() -> None:
    assert b"demo-secret" not in signed_request(DEMO, "private/create-order", ORDER, 1, NOW_MS)
    assert "demo-secret" not in login(DEMO, 1, NOW_MS)
