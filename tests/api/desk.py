"""A desk that trades over HTTP: the engine with two live venues, the order routes over it, and clients that sign.

Venues answer only what a test tells for them, and time passes a millisecond with every look at the clock.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, NamedTuple

from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from aggregator.api.auth import Keys, signature
from aggregator.api.house import HouseRoutes
from aggregator.api.local import LocalRoutes, Tape
from aggregator.api.market import MarketRoutes, VenueEntry
from aggregator.api.orders import OrderRoutes
from aggregator.api.quotes import QuoteRoutes, Quotes
from aggregator.api.server import Server
from aggregator.api.venues import VenueRoutes
from aggregator.books.rates import Rates
from aggregator.config.keys import ApiKey, Scope
from aggregator.domain.book import Levels
from aggregator.domain.effects import CancelChild, Effect, PlaceChild
from aggregator.domain.errors import ConfigurationRefused, JournalFailed
from aggregator.domain.events import BookSnapshot, ListingsRead
from aggregator.domain.instrument import Fees, Instrument, Listing
from aggregator.domain.lifecycle import Word
from aggregator.domain.numbers import parse_decimal, parse_rate
from aggregator.domain.order import ASSET_DECIMALS, ChildOrder, Fill, Liquidity
from aggregator.domain.order_events import (
    About,
    Balance,
    BalancesRead,
    ExecutionReport,
    FillReported,
    OpenOrdersRead,
    OrderEvent,
    RiskLimits,
    Started,
)
from aggregator.domain.switches import VenueState, VenueSwitched
from aggregator.engine.engine import Engine
from aggregator.engine.views import Views
from tests.api.strictness import prove

BTC = Instrument.of("BTC", "USDT")
START_NS = 1_700_000_000_000_000_000
MS = 1_000_000
VENUES = ("binance", "huobi")
CANCEL_PATIENCE_S = 0.1


CONNECTION: Mapping[str, object] = {
    "connections": 1,
    "open_connections": 1,
    "connects": 2,
    "last_failure": "",
    "heard_ns": 1_700_000_000_000_000_000,
    "frames": 7,
    "fetches_waiting": 0,
    "weight_used": 50,
    "weight_limit": None,
    "breaker_reason": "",
    "breaker_remaining_ns": 0,
    "clock_offset_ns": -1_500_000,
    "clock_error_ns": None,
    "rules_read_ns": 0,
}


def venue_entries(venues: tuple[str, ...]) -> Mapping[str, VenueEntry]:
    return {
        name: VenueEntry(name, name.title(), name, "active", True, True, "http://127.0.0.1:1", lambda: CONNECTION)
        for name in venues
    }


def key(name: str, account: str, *scopes: Any) -> ApiKey:
    return ApiKey(key=name, secret=f"{name}-secret-that-nobody-else-knows", account=account, scopes=scopes)


TRADER, READER = key("trader", "desk", "read", "trade"), key("reader", "desk", "read")
OTHER, ADMIN = key("other", "fund", "read", "trade"), key("admin", "house", "read", "admin")
OVERSEER = key("overseer", "house", "oversight")
SENDER, SWITCHER = key("sender", "desk", "trade"), key("switcher", "house", "admin")
KEYS = (TRADER, READER, OTHER, ADMIN, OVERSEER, SENDER, SWITCHER)

ORDER = {
    "client_order_id": "one",
    "symbol": "BTC/USDT",
    "side": "buy",
    "type": "limit",
    "quantity": "1",
    "limit_price": "102",
    "time_in_force": "IOC",
}


def money(text: str) -> int:
    return parse_decimal(text, ASSET_DECIMALS)


class Fleet:
    """The venues of a desk: orders can go to all but one, and a new one is taken on when its file says so."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.added: list[tuple[str, str]] = []

    def use_of(self, venue: str) -> VenueSwitched:
        switched = self._desk.engine.orders.state.switches.get(venue)
        return switched or VenueSwitched(0, venue, True, True, VenueState.ACTIVE, "")

    def has_account(self, venue: str) -> bool:
        return venue != "huobi"

    async def add(self, text: str, by: str, reason: str) -> str:
        if "sound" not in text:
            raise ConfigurationRefused(["kraken.yaml:1:1: venue: missing", "kraken.yaml:2:1: fees: missing"])
        self.added.append((by, reason))
        return "binance"


class Desk:
    """`sent` is what left for the venues, `events` what was asked of the engine. `real_clock_ns` judges signatures that
    are made by a real client. What else is given is the server's."""

    def __init__(
        self,
        keys: Sequence[ApiKey] = KEYS,
        limits: Mapping[str, RiskLimits] | None = None,
        *,
        is_reconciled: bool = True,
        real_clock_ns: Callable[[], int] | None = None,
        anonymous: tuple[Scope, ...] = (),
        is_behind_proxy: bool = False,
        **server: Any,
    ) -> None:
        self.now_ns = START_NS
        self.engine = Engine()
        self.sent: list[Effect] = []
        self.events: list[OrderEvent] = []
        self.failure = ""
        self.root = ""
        for venue, ask in zip(VENUES, ("101", "101.5"), strict=True):
            self._list(venue, "100", ask)
        self._apply(Started(self.clock_ns(), "abc123", VENUES, limits or {}))
        held = {"BTC": Balance(money("5"), money("5")), "USDT": Balance(money("100000"), money("99000.5"))}
        for venue in VENUES if is_reconciled else ():
            self._apply(BalancesRead(venue, self.clock_ns(), held))
            self._apply(OpenOrdersRead(venue, self.clock_ns(), ()))
        self.sent.clear()
        self.anonymous = anonymous
        self.judged_ns = real_clock_ns or (lambda: self.now_ns)
        guard = Keys(keys, self.judged_ns, anonymous=anonymous, is_behind_proxy=is_behind_proxy)
        orders, market = self.engine.orders, self.engine.market
        no_rates = Rates((), lambda venue, name: "no book")
        shown = MarketRoutes(self.engine, Views(self.engine), venue_entries(VENUES), self.clock_ns, guard)
        self.fleet = fleet = Fleet(self)
        self.server = Server(
            shown,
            QuoteRoutes(Quotes(self.engine, VENUES, self.clock_ns), guard),
            OrderRoutes(orders, market, VENUES, guard, self.ask, self.clock_ns, CANCEL_PATIENCE_S),
            HouseRoutes(orders, guard, self.ask, self.clock_ns),
            VenueRoutes(shown, fleet, fleet.add, guard, self.ask, self.clock_ns),
            LocalRoutes(self.engine, Views(self.engine), Tape(), no_rates, {}, guard, self.ask, self.clock_ns),
            **server,
        )

    def clock_ns(self) -> int:
        self.now_ns += MS
        return self.now_ns

    async def ask(self, event: OrderEvent) -> Sequence[Effect]:
        self.events.append(event)
        if self.failure:
            raise JournalFailed(self.failure)
        return self._apply(event)

    def child(self, number: int = 0) -> ChildOrder:
        """The child that was sent as this one."""
        placed = [effect.terms for effect in self.sent if isinstance(effect, PlaceChild)]
        return self.engine.orders.parents[placed[number].order_id].children[placed[number].child_id]

    @property
    def cancels(self) -> list[str]:
        return [effect.terms.child_id for effect in self.sent if isinstance(effect, CancelChild)]

    def tell(self, word: Word, number: int = 0, about: About = About.PLACE, raw: str = "", reason: str = "") -> None:
        """A venue's word on a child."""
        child = self.child(number)
        terms, now_ns = child.terms, self.clock_ns()
        executed = child.filled if word is Word.ENDED else None
        self._apply(
            ExecutionReport(terms.venue, terms.child_id, BTC, now_ns, word, about, raw, executed, f"v{number}", reason)
        )

    def fill(self, quantity: str, price: str, fee: str, fee_asset: str, number: int = 0) -> None:
        child, now_ns = self.child(number), self.clock_ns()
        terms = child.terms
        fill_id = f"f{len(child.fills) + 1}"
        fill = Fill(
            terms.venue, terms.child_id, BTC, fill_id, terms.side, BTC.price(price), BTC.quantity(quantity),
            money(fee), fee_asset, Liquidity.TAKER, now_ns - MS, now_ns,
        )  # fmt: skip
        self._apply(FillReported(now_ns, fill, f"v{number}"))

    def _list(self, venue: str, bid: str, ask: str) -> None:
        fees = Fees(maker=parse_rate("0.0005"), taker=parse_rate("0.001"))
        listing = Listing(venue, "BTCUSDT", BTC, tick=BTC.price("0.01"), lot=BTC.quantity("0.001"), fees=fees)
        bids, asks = (Levels([BTC.price(price)], [BTC.quantity("2")]) for price in (bid, ask))
        self.engine.apply(ListingsRead(venue, START_NS, [listing]))
        self.engine.apply(BookSnapshot(venue, BTC.name, START_NS, START_NS, bids, asks))

    def _apply(self, event: OrderEvent) -> Sequence[Effect]:
        effects = list(self.engine.apply(event))
        self.sent += effects
        return effects


class Answer(NamedTuple):
    status: int
    document: Any
    headers: Mapping[str, str]


class Client:
    """Signs as its key does. What differs from what is signed is sent in place of it. Every answer is proven to be as
    it is described."""

    def __init__(self, http: Any, desk: Desk, key: ApiKey) -> None:
        self._http = http
        self.desk = desk
        self._key = key
        self._numbers = count()

    def using(self, key: ApiKey) -> Client:
        return Client(self._http, self.desk, key)

    def signed(self, method: str, path: str, body: bytes = b"", late_ns: int = 0) -> dict[str, str]:
        timestamp = str(self.desk.now_ns - late_ns + next(self._numbers))
        told = signature(self._key.secret, timestamp, method, path, body)
        return {"X-API-Key": self._key.key, "X-Timestamp-Ns": timestamp, "X-Signature": told}

    async def send(self, method: str, path: str, body: Any = None) -> Answer:
        content = b"" if body is None else json.dumps(body).encode()
        return await self.send_raw(method, path, content, self.signed(method, path, content))

    async def send_raw(self, method: str, path: str, content: bytes, headers: Mapping[str, str]) -> Answer:
        async with self._http.request(method, URL(path, encoded=True), data=content, headers=headers) as answer:
            prove(self.desk.server, method, path, answer.status, answer.content_type, await answer.read())
            return Answer(answer.status, await answer.json(content_type=None), answer.headers)

    async def place(self, **changes: Any) -> Answer:
        body = {name: value for name, value in {**ORDER, **changes}.items() if value is not None}
        return await self.send("POST", "/v1/orders", body)


@asynccontextmanager
async def trading(desk: Desk, key: ApiKey = TRADER) -> AsyncIterator[Client]:
    async with TestClient(TestServer(desk.server.app)) as http:
        yield Client(http, desk, key)


async def rest(client: Client, desk: Desk, **changes: Any) -> str:
    """An order that has come to rest at a venue."""
    number = sum(isinstance(effect, PlaceChild) for effect in desk.sent)
    changes = {"time_in_force": "GTC", "post_only": True, "limit_price": "100.5"} | changes
    order = (await client.place(**changes)).document
    desk.tell(Word.WORKING, number, raw="NEW")
    return str(order["order_id"])
