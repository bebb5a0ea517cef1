"""`POST /v1/quotes`: strict about what is asked, and complete about what would be done."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from aggregator.api.auth import Keys
from aggregator.api.problems import Problem, as_problems
from aggregator.api.quotes import QuoteRoutes, Quotes
from aggregator.api.routes import WATCH
from aggregator.domain.book import Levels
from aggregator.domain.events import BookLost, BookSnapshot, ListingsRead
from aggregator.domain.instrument import Fees, Instrument, Listing
from aggregator.domain.numbers import parse_decimal
from aggregator.domain.order import ASSET_DECIMALS
from aggregator.domain.order_events import Balance, BalancesRead, FeesRead, OpenOrdersRead, Started
from aggregator.domain.plan import NET_ONE, Rate, RoutingPolicy, VenueTerms
from aggregator.engine.engine import Engine
from tests.routing.venues import BTC

NOW_NS = 1_700_000_000_000_000_000
IN_USDC = replace(BTC, name="BTC/USDC", quote="USDC")
VENUES = ("binance", "huobi", "gateio", "bitstamp")


def rows(instrument: Instrument, *levels: tuple[str, str]) -> Levels:
    return Levels(
        [instrument.price(price) for price, _ in levels], [instrument.quantity(quantity) for _, quantity in levels]
    )


def engine(policy: RoutingPolicy | None = None) -> Engine:
    """Three venues, of which gateio is lost, and one that lists BTC/USDC alone."""
    told = Engine(policy_of=lambda _: policy or RoutingPolicy())
    for venue in VENUES[:3]:
        listing = Listing(venue, "BTCUSDT", BTC, lot=BTC.quantity("0.001"), fees=Fees(taker=100_000))
        told.apply(ListingsRead(venue, 1, [listing]))
        bids, asks = rows(BTC, ("99", "1"), ("98", "5")), rows(BTC, ("100", "1"), ("101", "5"))
        told.apply(BookSnapshot(venue, "BTC/USDT", 0, 1, bids, asks))
    told.apply(ListingsRead("bitstamp", 1, [Listing("bitstamp", "BTCUSDC", IN_USDC)]))
    told.apply(BookSnapshot("bitstamp", "BTC/USDC", 0, 1, rows(IN_USDC, ("90", "5")), rows(IN_USDC, ("95", "5"))))
    told.apply(BookLost("gateio", "BTC/USDT", 2, "the connection is gone"))
    return told


def quotes(policy: RoutingPolicy | None = None, **more: Any) -> Quotes:
    return Quotes(engine(policy), VENUES, lambda: NOW_NS, **more)


def ask(**body: Any) -> dict[str, Any]:
    return quotes().answer(json.dumps({"symbol": "BTC/USDT", "side": "buy", **body}).encode())


def refusal(body: bytes) -> tuple[int, str, str]:
    with pytest.raises(Problem) as caught:
        quotes().answer(body)
    return caught.value.status, caught.value.code.value, caught.value.detail


class TestAnAnswer:
    def test_has_the_split_the_price_and_the_reason_for_each_venue(self) -> None:
        answer = ask(quantity="1.5")
        assert {child["venue"]: child["quantity"] for child in answer["children"]} == {
            "binance": "1",
            "huobi": "0.5",
        }
        assert (answer["filled_by_plan"], answer["average_price"], answer["net_price"]) == ("1.5", "100", "100.1")
        assert answer["excluded"] == {"gateio": "syncing: the connection is gone"}
        assert answer["balances"] == "not checked"
        assert (answer["as_of_ns"], len(answer["book_digest"])) == (NOW_NS, 64)
        json.dumps(answer)

    def test_by_notional_pays_no_more(self) -> None:
        answer = ask(notional="100")
        assert (answer["notional"], answer["filled_by_plan"], answer["net_total"]) == ("100", "0.999", "99.9999")
        assert answer["unfilled_reasons"] == {"lot": "0.0001"}

    def test_keeps_to_the_limit_price_and_the_venues(self) -> None:
        answer = ask(side="sell", quantity="3", limit_price="98.5", venues=["huobi", "huobi", "gateio"])
        assert [child["venue"] for child in answer["children"]] == ["huobi"]
        assert answer["unfilled_reasons"] == {"limit": "2"}
        assert answer["excluded"]["binance"] == "not among the venues that the client allows"

    def test_takes_the_symbol_as_it_stands_in_paths_too(self) -> None:
        assert ask(symbol="btc-usdt", quantity="1")["symbol"] == "BTC/USDT"

    def test_follows_the_policy(self) -> None:
        policy = RoutingPolicy(other_terms=VenueTerms(route=False))
        answer = quotes(policy).answer(b'{"symbol": "BTC/USDT", "side": "buy", "quantity": "1"}')
        assert answer["excluded"]["binance"] == "its route is switched off"
        assert answer["unfilled_reasons"] == {"no_venue": "1"}

    def test_pools_another_quote_only_through_its_rate(self) -> None:
        body = b'{"symbol": "BTC/USDT", "side": "buy", "quantity": "1"}'
        fresh = Rate("USDC", "USDT", NET_ONE, "test", NOW_NS, 10)
        old = replace(fresh, at_ns=NOW_NS - 11)
        for rates, venue in (((), "binance"), ((fresh,), "bitstamp"), ((old,), "binance")):
            answer = quotes(rates=lambda rates=rates: rates).answer(body)
            assert [child["venue"] for child in answer["children"]] == [venue]
            assert ("bitstamp BTC/USDC" in answer["excluded"]) == (rates == (old,))


class TestWithAccounts:
    def test_is_what_an_order_would_be_planned_on(self) -> None:
        told = with_accounts(binance={"USDT": "50"}, huobi={"USDT": "1000"})
        answer = quoted(told, quantity="1.5")
        assert {child["venue"]: child["quantity"] for child in answer["children"]} == {
            "binance": "0.499",
            "huobi": "1.001",
        }
        assert answer["balances"] == "checked"

    def test_leaves_out_where_there_is_no_account_and_what_is_not_reconciled(self) -> None:
        told = with_accounts(huobi={"USDT": "1000"})
        told.apply(Started(3, "abc123", ("huobi", "gateio")))
        answer = quoted(told, quantity="1")
        assert answer["excluded"] == {
            "binance": "no account there",
            "huobi": "not reconciled: its balances are not read yet",
            "gateio": "syncing: the connection is gone",
        }
        assert answer["unfilled_reasons"] == {"no_venue": "1"}

    def test_counts_the_accounts_own_fees(self) -> None:
        told = with_accounts(binance={"USDT": "1000"}, huobi={"USDT": "1000"})
        told.apply(FeesRead("huobi", 3, BTC, maker=0, taker=0))
        assert [child["venue"] for child in quoted(told, quantity="1")["children"]] == ["huobi"]

    def test_changes_nothing_and_leaves_nothing_to_write_down(self) -> None:
        told = with_accounts(binance={"USDT": "1000"})
        before = told.orders.document()
        quoted(told, quantity="1")
        assert told.orders.document() == before
        assert told.take_seen() == []


def with_accounts(**balances: dict[str, str]) -> Engine:
    told = engine()
    told.apply(Started(3, "abc123", tuple(balances)))
    for venue, held in balances.items():
        money = {asset: parse_decimal(text, ASSET_DECIMALS) for asset, text in held.items()}
        told.apply(BalancesRead(venue, 4, {asset: Balance(total, total) for asset, total in money.items()}))
        told.apply(OpenOrdersRead(venue, 4, ()))
    return told


def quoted(told: Engine, **body: Any) -> dict[str, Any]:
    content = json.dumps({"symbol": "BTC/USDT", "side": "buy", **body}).encode()
    return Quotes(told, VENUES, lambda: NOW_NS).answer(content)


class TestARefusal:
    @pytest.mark.parametrize(
        ("changed", "detail"),
        [
            ({}, "either quantity or notional"),
            ({"quantity": "1", "notional": "1"}, "either quantity or notional"),
            ({"quantity": "0"}, "more than 0"),
            ({"quantity": "0.000"}, "more than 0"),
            ({"quantity": "-1"}, "positive decimal"),
            ({"quantity": "1e3"}, "without sign or exponent"),
            ({"quantity": " 1"}, "positive decimal"),
            ({"quantity": ""}, "positive decimal"),
            ({"quantity": "."}, "positive decimal"),
            ({"quantity": "NaN"}, "positive decimal"),
            ({"quantity": "\u0661"}, "positive decimal"),
            ({"quantity": 1}, "decimals are strings"),
            ({"quantity": 0.5}, "decimals are strings"),
            ({"quantity": "9" * 40}, "too large"),
            ({"quantity": "9" * 70}, "at most 64"),
            ({"quantity": "0." + "0" * 18 + "1"}, "18 decimals"),
            ({"notional": "0"}, "more than 0"),
            ({"quantity": "1", "limit_price": "0.000000001"}, "8 decimals"),
            ({"quantity": "1", "limit_price": "-5"}, "limit_price"),
            ({"quantity": "1", "side": "long"}, "side"),
            ({"quantity": "1", "venues": []}, "venues is empty"),
            ({"quantity": "1", "venues": "binance"}, "venues"),
            ({"quantity": "1", "price": "5"}, "price"),
        ],
    )
    def test_of_a_bad_field_says_what_would_be_right(self, changed: dict[str, Any], detail: str) -> None:
        body = json.dumps({"symbol": "BTC/USDT", "side": "buy", **changed}).encode()
        status, code, told = refusal(body)
        assert (status, code) == (400, "bad_parameter")
        assert detail in told

    @pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"quantity=1"])
    def test_of_what_is_not_json(self, body: bytes) -> None:
        assert refusal(body)[:2] == (400, "bad_request")

    @pytest.mark.parametrize("body", [b"[]", b"null", b"7", b'{"symbol": "BTC/USDT"}'])
    def test_of_json_that_is_no_request(self, body: bytes) -> None:
        assert refusal(body)[:2] == (400, "bad_parameter")

    def test_of_an_instrument_that_is_listed_nowhere(self) -> None:
        status, code, detail = refusal(b'{"symbol": "XRP/USDT", "side": "buy", "quantity": "1"}')
        assert (status, code) == (404, "unknown_instrument")
        assert "BTC/USDT" in detail

    def test_of_a_venue_that_there_is_not(self) -> None:
        status, code, detail = refusal(
            b'{"symbol": "BTC/USDT", "side": "buy", "quantity": "1", "venues": ["kraken", "huobi"]}'
        )
        assert (status, code) == (400, "unknown_venue")
        assert "kraken" in detail and "binance, huobi, gateio, bitstamp" in detail


async def test_over_http() -> None:
    app = web.Application(middlewares=[as_problems])
    keys = Keys((), lambda: NOW_NS, anonymous=WATCH)
    app.add_routes(QuoteRoutes(quotes(), keys).routes())
    async with TestClient(TestServer(app)) as client:
        reply = await client.post("/v1/quotes", json={"symbol": "BTC/USDT", "side": "sell", "quantity": "0.5"})
        assert (reply.status, (await reply.json())["filled_by_plan"]) == (200, "0.5")
        refused = await client.post("/v1/quotes", data=b"{")
        assert (refused.status, refused.content_type) == (400, "application/problem+json")
