"""The whole document, asked at length: what it permits is taken, what it forbids is refused, and every answer is as it
says. Guarded routes are asked with signatures, by a key that has all scopes that they need."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from requests import PreparedRequest
from requests.auth import AuthBase
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from aggregator.api.auth import signature
from aggregator.api.openapi import document
from aggregator.api.routes import STREAM, TABLE
from aggregator.config.keys import ApiKey
from tests.api.desk import Desk, key
from tests.api.strictness import prove
from tests.api.whole import whole

EXAMPLES = 6
"""Of each route, besides those that lie at the edges of what is declared."""

CALLER = key("caller", "desk", "read", "trade", "admin")

pytestmark = pytest.mark.slow


class Signed(AuthBase):
    """Signs what is sent, byte for byte."""

    def __init__(self, key: ApiKey) -> None:
        self._key = key

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        body = request.body or b""
        if isinstance(body, str):
            body = body.encode()
        assert isinstance(body, bytes), "it is sent in one piece"
        timestamp = str(time.time_ns())
        told = signature(self._key.secret, timestamp, str(request.method), request.path_url, body)
        request.headers.update({"X-API-Key": self._key.key, "X-Timestamp-Ns": timestamp, "X-Signature": told})
        return request


class Serving(threading.Thread):
    """A desk behind its server, in a loop of its own."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.root = ""
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._is_open = threading.Event()

    def run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self.server = whole(Desk(real_clock_ns=time.time_ns), CALLER)
        self.root = await self.server.open("127.0.0.1", 0)
        self._is_open.set()
        await self._stopping.wait()
        await self.server.close()

    def __enter__(self) -> Serving:
        self.start()
        assert self._is_open.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self.join(20)


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with Serving() as serving:
        yield serving


def narrowed() -> Any:
    """The document, of what there is here: which instruments and orders exist, no document can say."""
    told = msgspec.to_builtins(document(route for route in TABLE if route is not STREAM))
    for member in members(told, "symbol"):
        member["enum"] = ["BTC/USDT", "btc-usdt"]
    for member in members(told, "venue"):
        member["enum"] = ["binance", "huobi"]
    for member in members(told, "id"):
        member["enum"] = ["client:resting", "client:gone"]
    return told


def permitted() -> Any:
    """And of what this desk can take of that."""
    told = narrowed()
    for name in ("quantity", "notional", "limit_price"):
        for member in members(told, name):
            member["pattern"] = r"^[1-9][0-9]{0,5}(\.[0-9]{1,8})?$"
    for member in members(told, "reason"):
        member["pattern"] = "^[ -~]{0,99}[!-~]$"
    for member in members(told, "venues"):
        member["enum"] = ["huobi", "binance,huobi"] if member["type"] == "string" else [["huobi"], ["binance"]]
    for member in members(told, "order"):
        member["enum"] = ["client:resting"]
    for methods in told["paths"].values():
        for operation in methods.values():
            # Only the page before says what may come `after`.
            operation["parameters"] = [each for each in operation["parameters"] if each["name"] != "after"]
    return told


BODIES = ("QuoteBody", "PlaceBody", "AmendBody", "HaltBody", "VenueSwitchBody", "VenueBody")


def members(told: Any, name: str) -> Iterator[dict[str, Any]]:
    """The schemas of everything of this name in requests."""
    bodies = [told["components"]["schemas"][body] for body in BODIES]
    found = [body["properties"][name] for body in bodies if name in body["properties"]]
    for methods in told["paths"].values():
        for operation in methods.values():
            found += [each["schema"] for each in operation["parameters"] if each["name"] == name]
    for shape in found:
        yield next((part for part in shape.get("anyOf", ()) if part != {"type": "null"}), shape)


def loaded(told: Any, mode: GenerationMode) -> Any:
    config = {
        "generation": {"mode": mode.value, "max-examples": EXAMPLES, "with-security-parameters": False},
        "checks": {
            # What the engine refuses (422), or what it cannot take on now (503), is well-formed.
            "positive_data_acceptance": {"expected-statuses": ["2xx", "403", "404", "409", "422", "429", "503"]},
            "negative_data_rejection": {"expected-statuses": ["400", "401", "403", "404", "405", "413", "414", "422"]},
        },
    }
    schema = schemathesis.openapi.from_dict(told, config=SchemathesisConfig.from_dict(config))
    schema.auth.set_from_requests(Signed(CALLER))
    return schema


PERMITTED = loaded(permitted(), GenerationMode.POSITIVE)
FORBIDDEN = loaded(narrowed(), GenerationMode.NEGATIVE)
MODERATE = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@PERMITTED.parametrize()  # type: ignore[untyped-decorator]
@MODERATE
def test_what_the_document_permits_is_taken(case: Any, serving: Serving) -> None:
    ask(case, serving)


@FORBIDDEN.parametrize()  # type: ignore[untyped-decorator]
@MODERATE
def test_what_the_document_forbids_is_refused(case: Any, serving: Serving) -> None:
    ask(case, serving)


def ask(case: Any, serving: Serving) -> None:
    """With every check that there is, and the strict one of ours. Raises what they raise."""
    response = case.call_and_validate(base_url=serving.root)
    request = response.request
    if request.method == case.operation.method.upper():
        media = response.headers.get("content-type", [""])[0].partition(";")[0]
        prove(serving.server, request.method, request.path_url, response.status_code, media, response.content)
