"""Binance's signatures are those of its documentation, of an independent client, and of the formula worked by hand."""

import json
from typing import Any
from urllib.parse import parse_qsl

import pytest

from connectors.binance.signing import signature, signed_parameters, signed_text
from tests.paths import SHARED, needs_shared, shared

OFFICIAL = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
OFFICIAL_KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
MADE_UP = "demo-secret-1"

ORDER = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
POST_ONLY = "symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=0.01000000&price=60000.00&newClientOrderId=agg-0001"
NOT_ASCII = "\N{FULLWIDTH DIGIT ONE}\N{FULLWIDTH DIGIT TWO}\N{FULLWIDTH DIGIT THREE}"
NOT_ASCII += "\N{FULLWIDTH DIGIT FOUR}\N{FULLWIDTH DIGIT FIVE}\N{FULLWIDTH DIGIT SIX}"

REST = {
    "the documented order": (
        OFFICIAL,
        ORDER,
        "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
    ),
    "a symbol that is not ASCII": (
        OFFICIAL,
        ORDER.replace("LTCBTC", NOT_ASCII),
        "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
    ),
    "a post-only order": (
        MADE_UP,
        f"{POST_ONLY}&recvWindow=5000&timestamp=1780000000000",
        "05b019d05ef316dfdc8db25e41bf3af0c803a33c83206dfe0568a1128859610c",
    ),
    "the same in another order": (
        MADE_UP,
        f"timestamp=1780000000000&{POST_ONLY}&recvWindow=5000",
        "b888397f765b8098b6f4469ef97f032d5c60d386ac3c4c78db770d6039e73156",
    ),
}


@pytest.mark.parametrize("name", REST)
def test_a_rest_request_is_signed_as_it_is_sent(name: str) -> None:
    secret, parameters, expected = REST[name]
    text = signed_text(secret, dict(parse_qsl(parameters)))
    payload, _, told = text.rpartition("&signature=")
    assert told == expected == signature(secret, payload)
    assert dict(parse_qsl(payload)) == dict(parse_qsl(parameters))
    assert payload.isascii()


def test_a_websocket_request_is_signed_over_its_sorted_parameters() -> None:
    parameters = {
        "symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01000000",
        "price": "52000.00", "recvWindow": "100", "timestamp": "1645423376532", "apiKey": OFFICIAL_KEY,
    }  # fmt: skip
    expected = "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24"
    assert signed_parameters(OFFICIAL, parameters) == {**parameters, "signature": expected}


def test_a_subscription_is_signed_over_the_key_and_the_time() -> None:
    signed = signed_parameters(MADE_UP, {"timestamp": "1780000000000", "apiKey": "demo-key-1"})
    assert signed["signature"] == "8b7c17da96ac084f7d98b22d49cf4724d4c2f7e375dcc6595e7aa60637e50bab"


def recorded() -> list[Any]:
    """What the folder of vectors has of this venue."""
    files = [SHARED / "signing" / f"{origin}.json" for origin in ("official", "derived")]
    vectors = [vector for file in files if file.is_file() for vector in json.loads(file.read_text("utf-8"))]
    return [vector for vector in vectors if vector["venue"] == "binance"]


@needs_shared
@pytest.mark.parametrize("vector", recorded(), ids=lambda vector: vector.get("id", "derived"))
def test_recorded_vectors(vector: dict[str, Any]) -> None:
    assert signature(vector["secret"], vector["payload"]) == vector["signature"]
    parameters = dict(parse_qsl(vector["payload"]))
    if "apiKey" in parameters:
        assert signed_parameters(vector["secret"], parameters)["signature"] == vector["signature"]
    else:
        assert signed_text(vector["secret"], parameters) == f"{vector['payload']}&signature={vector['signature']}"
    if "signed" in vector:
        assert vector["signed"]["body"] == signed_text(vector["secret"], parameters)


@needs_shared
def test_there_are_recorded_vectors() -> None:
    assert shared("signing").is_dir()
    assert len(recorded()) == 3
