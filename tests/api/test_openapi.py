"""The document is that of what is served: every route, every answer, every code."""

import re
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from aggregator.api import schema
from aggregator.api.codes import MEANINGS
from aggregator.api.openapi import document
from aggregator.api.problems import REFUSALS, Code
from aggregator.api.routes import ALWAYS, DOCS, OPENAPI, TABLE, Answer, Endpoint, Route
from aggregator.api.server import Server
from connectors.machine import VenueStatus
from tests.api.desk import ADMIN, READER, Desk, rest, trading
from tests.api.strictness import prove
from tests.api.test_market import NOW_NS, service, snapshot
from tests.api.whole import whole


class Parts:
    """Routes that are given."""

    def __init__(self, *routes: web.AbstractRouteDef) -> None:
        self._routes = routes

    def routes(self) -> tuple[web.AbstractRouteDef, ...]:
        return self._routes


async def served_document() -> Any:
    _, server = service()
    async with TestClient(TestServer(server.app)) as client:
        answer = await client.get("/openapi.json")
        assert (answer.status, answer.content_type) == (200, "application/json")
        return await answer.json()


def test_every_route_of_the_table_is_served_by_one_of_the_parts() -> None:
    assert {route.name for route in whole(Desk()).described} == {route.name for route in TABLE}


async def test_what_is_documented_is_what_is_served() -> None:
    server = whole(Desk())
    async with TestClient(TestServer(server.app)) as client:
        told = await (await client.get("/openapi.json")).json()
    documented = {(method.upper(), path) for path, methods in told["paths"].items() for method in methods}
    routed = {
        (route.method, route.resource.canonical)
        for route in server.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    assert documented == routed - {("GET", "/docs/{file}")}


def test_a_route_under_v1_that_the_table_lacks_is_refused_at_the_start() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response()

    with pytest.raises(ValueError, match="GET /v1/forgotten is not in the table"):
        Server(Parts(web.get("/v1/forgotten", answer)))
    assert Server(Parts(web.get("/a-page", answer))).described == (OPENAPI, DOCS)


def test_a_route_declares_what_stands_in_its_braces() -> None:
    with pytest.raises(ValueError, match=r"GET /v1/x/\{y\}"):
        Route("x", "GET", "/v1/x/{y}", "Market", "", {200: Answer("")})


async def test_every_code_has_its_cause_and_its_remedy() -> None:
    told = (await served_document())["x-codes"]
    assert set(told) == {code.value for code in Code}
    assert all(code["cause"] and code["remedy"] and code["statuses"] for code in told.values())
    assert all(MEANINGS[code].statuses == (status,) for code, (status, _) in REFUSALS.items())


def test_every_code_can_come_of_some_route() -> None:
    of_routes = {code for route in TABLE for code in route.all_codes}
    assert set(Code) - of_routes == {Code.UNKNOWN_ROUTE, Code.METHOD_NOT_ALLOWED}, "these come of there being no route"


async def test_every_answer_says_what_it_is() -> None:
    told = await served_document()
    names = set(told["components"]["schemas"])
    assert set(re.findall(r"#/components/schemas/(\w+)", str(told))) <= names
    for path, methods in told["paths"].items():
        for operation in methods.values():
            assert operation["responses"].keys() & {"101", "200", "201"}, path
            assert all(answer["description"] for answer in operation["responses"].values())
            always = {str(status) for code in ALWAYS for status in MEANINGS[code].statuses}
            assert always <= operation["responses"].keys()


async def test_guarded_routes_say_which_keys_may_ask() -> None:
    paths = (await served_document())["paths"]
    assert paths["/v1/halt"]["post"]["security"] == [{"key": ["admin"], "timestamp": ["admin"], "signature": ["admin"]}]
    assert paths["/v1/books/{symbol}"]["get"]["description"].startswith(
        "For keys with scope read or oversight; for every"
    )
    assert "security" not in paths["/health"]["get"]
    scopes = {route.path: route.scopes for route in TABLE if "oversight" in route.scopes}
    assert all(route.method == "GET" or route.name == "quote" for route in TABLE if "oversight" in route.scopes)
    assert scopes.keys() >= {"/v1/halt", "/v1/orders", "/v1/orders/{id}", "/v1/fills", "/v1/ledger", "/v1/venues"}


def test_answers_may_grow_and_requests_may_not() -> None:
    schemas = document(TABLE)["components"]["schemas"]
    assert "additionalProperties" not in schemas["Book"]
    assert schemas["PlaceBody"]["additionalProperties"] is False
    assert len(schemas["QuoteBody"]["oneOf"]) == 2


def test_a_venues_connection_is_told_as_the_connectors_tell_it() -> None:
    assert schema.Connection.__struct_fields__ == tuple(VenueStatus.__dataclass_fields__)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/instruments", None),
        ("GET", "/v1/venues", None),
        ("GET", "/v1/venues/huobi", None),
        ("GET", "/v1/venues/kraken", None),
        ("GET", "/v1/books/BTC-USDT?depth=1&view=net&venues=huobi", None),
        ("GET", "/v1/books/BTC-USDT?depth=x", None),
        ("POST", "/v1/quotes", {"symbol": "btc-usdt", "side": "buy", "quantity": "1", "limit_price": "200"}),
        ("POST", "/v1/quotes", {"symbol": "BTC/USDT", "side": "sell", "notional": "1000000", "venues": ["huobi"]}),
        ("POST", "/v1/quotes", {"symbol": "BTC/USDT", "side": "sell", "quantity": "0.0000001"}),
        ("POST", "/v1/quotes", {"symbol": "BTC/USDT"}),
        ("GET", "/v1/orders", None),
        ("GET", "/health", None),
        ("GET", "/ready", None),
        ("GET", "/metrics", None),
    ],
)
async def test_open_answers_are_as_they_are_described(method: str, path: str, body: Any) -> None:
    _, server = service()
    async with TestClient(TestServer(server.app)) as client:
        answer = await client.request(method, path, json=body)
        prove(server, method, path, answer.status, answer.content_type, await answer.read())


async def test_orders_in_every_shape_are_as_they_are_described() -> None:
    """`trading` proves each of its answers."""
    desk = Desk()
    async with trading(desk) as client:
        await rest(client, desk, client_order_id="resting")
        await client.place(client_order_id="taken")
        desk.fill("0.5", "101", "0.05", "USDT", number=1)
        await client.place(client_order_id="refused", time_in_force="FOK", quantity="50")
        await client.send("PATCH", "/v1/orders/client:resting", {"quantity": "2"})
        await client.send("DELETE", "/v1/orders")
        orders = await client.using(READER).send("GET", "/v1/orders?limit=200")
        fills = await client.send("GET", "/v1/fills")
        balances = await client.using(ADMIN).send("GET", "/v1/balances")
    assert len(orders.document["orders"]) == 3
    assert len(fills.document["fills"]) == 1
    assert balances.status == 200


async def test_an_answer_that_is_not_as_it_is_described_would_be_found() -> None:
    _, server = service()
    for body in (b"{}", b'{"status":"ok","inbox":0,"more":1}', b'{"status":"ok","inbox":"0"}'):
        with pytest.raises(ValueError, match=r"missing|unknown|Expected"):
            prove(server, "GET", "/health", 200, "application/json", body)


async def test_a_book_is_encoded_once_until_it_changes() -> None:
    engine, server = service()
    async with TestClient(TestServer(server.app)) as client:
        first = await (await client.get("/v1/books/BTC-USDT")).read()
        assert await (await client.get("/v1/books/btc-usdt?depth=50")).read() == first
        engine.apply(snapshot("huobi", "100.5", "102.5", NOW_NS))
        unrefreshed = await (await client.get("/v1/books/BTC-USDT")).read()
        assert unrefreshed == first, "readers see a new book at the display rate"


def test_an_endpoint_is_registered_as_its_route_says() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.add_routes([Endpoint(TABLE[0], answer)])
    assert {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource} == {
        ("GET", TABLE[0].path),
        ("HEAD", TABLE[0].path),
    }
