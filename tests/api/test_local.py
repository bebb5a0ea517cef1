"""Busan's own books over HTTP: entries in the ledger, the tape, the books' states, and partners' depth in won."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from aggregator.api.auth import Keys, signature
from aggregator.api.local import LocalRoutes, Tape
from aggregator.api.routes import WATCH
from aggregator.api.server import Server
from aggregator.books.rates import Rates
from aggregator.config.keys import ApiKey
from aggregator.domain.book import Levels
from aggregator.domain.effects import Effect
from aggregator.domain.events import BookSnapshot, ListingsRead
from aggregator.domain.instrument import Instrument, Listing, Side
from aggregator.domain.order_events import OrderEvent
from aggregator.domain.plan import NET_ONE
from aggregator.domain.rates import StatedRate
from aggregator.engine.views import Views
from tests.engine.test_local_orders import KRW, Busan

ADMIN = ApiKey(key="admin", secret="a" * 32, account="operator", scopes=("admin", "read"))
ANN = ApiKey(key="ann", secret="b" * 32, account="ann", scopes=("read", "trade"))
USDT = Instrument.of("BTC", "USDT")


class Client:
    def __init__(self, busan: Busan, client: Any) -> None:
        self._busan = busan
        self._client = client

    async def send(self, key: ApiKey | None, method: str, path: str, body: bytes = b"") -> tuple[int, Any]:
        self._busan.now_ns += 1_000_000
        headers = {}
        if key is not None:
            stamp = str(self._busan.now_ns)
            told = signature(key.secret, stamp, method, path, body)
            headers = {"X-API-Key": key.key, "X-Timestamp-Ns": stamp, "X-Signature": told}
        answer = await self._client.request(method, path, data=body or None, headers=headers)
        return answer.status, await answer.json()


@asynccontextmanager
async def serving(busan: Busan, *rates: StatedRate) -> AsyncIterator[Client]:
    engine, tape = busan.engine, Tape()

    async def ask(event: OrderEvent) -> Sequence[Effect]:
        return busan.tell(event)

    for effect in busan.effects:
        tape.note(effect)
    beside = {KRW.name: (USDT.name, frozenset({"alpha"}))}
    busan.now_ns += 60_000_000_000  # a request signed before the keys were there could be one that came before
    started_ns = busan.now_ns
    keys = Keys((ADMIN, ANN), lambda: max(started_ns, busan.now_ns), anonymous=WATCH)
    found = Rates(rates, lambda venue, name: "no book")
    local = LocalRoutes(engine, Views(engine), tape, found, beside, keys, ask, lambda: busan.now_ns)
    async with TestClient(TestServer(Server(local).app)) as client:
        yield Client(busan, client)


async def test_an_account_is_opened_credited_and_seen_by_its_owner() -> None:
    async with serving(Busan(())) as client:
        await client.send(ADMIN, "POST", "/v1/ledger", b'{"act":"open","account":"ann"}')
        credit = b'{"act":"credit","account":"ann","asset":"KRW","money":"5000.5","reference":"slip 1"}'
        assert (await client.send(ADMIN, "POST", "/v1/ledger", credit))[0] == 200
        status, document = await client.send(ANN, "GET", "/v1/ledger")
    assert (status, document["is_open"]) == (200, True)
    assert document["balances"] == {"KRW": {"total": "5000.5", "held": "0", "free": "5000.5"}}


async def test_entries_that_would_break_the_ledger_are_refused_with_their_code() -> None:
    async with serving(Busan()) as client:
        attempts = {
            b'{"act":"credit","account":"nobody","asset":"KRW","money":"1"}': (404, "unknown_account"),
            b'{"act":"open","account":"ann"}': (409, "account_taken"),
            b'{"act":"credit","account":"custody","asset":"KRW","money":"1"}': (422, "reserved_account"),
            b'{"act":"debit","account":"ann","asset":"BTC","money":"11"}': (422, "insufficient_funds"),
            b'{"act":"credit","account":"ann","asset":"XRP","money":"1"}': (422, "custody_exceeded"),
            b'{"act":"credit","account":"ann","asset":"KRW","money":"-1"}': (400, "bad_parameter"),
            b'{"act":"credit","account":"ann","asset":"KRW"}': (422, "bad_terms"),
        }
        for body, wanted in attempts.items():
            status, document = await client.send(ADMIN, "POST", "/v1/ledger", body)
            assert (status, document["code"]) == wanted, body
        assert (await client.send(ANN, "POST", "/v1/ledger", b'{"act":"open","account":"x"}'))[0] == 403


async def test_trades_are_public_and_a_book_is_halted_by_an_admin() -> None:
    busan = Busan()
    busan.order("ann", "c1", Side.SELL, "0.5", "80000000")
    busan.order("bob", "c2", Side.BUY, "0.2", "80500000")
    async with serving(busan) as client:
        status, document = await client.send(None, "GET", "/v1/trades?symbol=BTC-KRW")
        (trade,) = document["trades"]
        assert (trade["price"], trade["quantity"], trade["taker"]) == ("80000000", "0.2", "buy")
        halt = b'{"state":"halted","reason":"drill"}'
        assert (await client.send(ANN, "POST", "/v1/books/BTC-KRW/state", halt))[0] == 403
        status, document = await client.send(ADMIN, "POST", "/v1/books/BTC-KRW/state", halt)
        assert (status, document["state"]) == (200, "halted")
        assert (await client.send(None, "GET", "/v1/trades?symbol=ETH-KRW"))[0] == 404


async def test_partners_depth_is_shown_in_won_with_rate_and_premium_and_rounded_against_the_taker() -> None:
    busan = Busan()
    busan.order("ann", "c1", Side.SELL, "0.5", "85000000")
    busan.order("bob", "c2", Side.BUY, "0.2", "83000000")
    listing = Listing("alpha", "BTCUSDT", USDT)
    busan.engine.apply(ListingsRead("alpha", busan.now_ns, [listing]))
    bids, asks = (Levels([USDT.price(price)], [USDT.quantity("1")]) for price in ("59999.9", "60000.1"))
    busan.engine.apply(BookSnapshot("alpha", USDT.name, busan.now_ns, busan.now_ns, bids, asks))
    async with serving(busan, StatedRate("market", "USDT", "KRW", 1400 * NET_ONE)) as client:
        status, document = await client.send(None, "GET", "/v1/books/BTC-KRW/converted")
    assert (status, document["reason"], document["source"]) == (200, None, "BTC/USDT")
    assert document["bids"] == [["83999000", "1", {"alpha": "1"}]], "83,999,860 down to the tick"
    assert document["asks"] == [["84001000", "1", {"alpha": "1"}]], "84,000,140 up to the tick"
    assert document["premium_bps"] == "0" and document["rates"][0]["bid"] == "1400"


async def test_without_a_rate_nothing_is_shown_and_the_reason_is() -> None:
    busan = Busan()
    busan.engine.apply(ListingsRead("alpha", busan.now_ns, [Listing("alpha", "BTCUSDT", USDT)]))
    async with serving(busan) as client:
        status, document = await client.send(None, "GET", "/v1/books/BTC-KRW/converted")
    assert (status, document["bids"], document["asks"]) == (200, [], [])
    assert document["reason"].startswith("no rate from USDT to KRW")
