"""An account's machine carried to simulated venues that trade: on real sockets, and in memory with its own rules."""

import asyncio
import gzip
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import pytest

from aggregator.config.venues import VenueSettings
from aggregator.domain.effects import AskAccount, AskChild, CancelChild, OrderRequest, PlaceChild
from aggregator.domain.instrument import Instruments, Listing, Side
from aggregator.domain.lifecycle import Word
from aggregator.domain.order import ChildTerms, Fill, TimeInForce
from aggregator.domain.order_events import (
    About,
    AccountStream,
    BalancesRead,
    ExecutionReport,
    FeesRead,
    FillReported,
    OpenOrdersRead,
)
from connectors.account import account_machine
from connectors.connector import Connector
from connectors.contract import REPLY_PATIENCE_NS
from connectors.machine import venue_machine
from connectors.simulation.account import SimulatedAccount, SimulatedOrder, Status
from connectors.simulation.contract import SimulatedVenue
from connectors.simulation.exchange import SimulatedExchange
from connectors.simulation.faults import Faults
from connectors.simulation.loopback import Lane, Loopback
from connectors.trading import Credentials
from tests.simulation.on_sockets import Served, served, until
from tests.simulation.one_venue import MS, SECOND, START_NS, settings_of

VENUES = ("binance", "cryptocom", "gateio", "huobi")
KEY, SECRET = "simulated-key", "simulated-secret"


def child_of(listing: Listing, number: int, exchange: SimulatedExchange, *, part_of_price: int = 10) -> ChildTerms:
    """Buys a little; it rests, at a tenth of the price, unless told to pay more."""
    best = exchange.book(listing.symbol).asks.prices[0]
    tick, lot = exchange.listing(listing.symbol).tick, exchange.listing(listing.symbol).lot
    price = best * part_of_price // 100 // tick * tick
    quantity = lot * 1000
    child_id = f"abcdef0000000001-{number:03}"
    return ChildTerms(
        child_id, child_id[:16], listing.venue, listing.symbol, listing.instrument, Side.BUY, quantity, price,
        TimeInForce.GTC,
    )  # fmt: skip


class Told:
    """What a connector or a lane told of an account."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def all(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def words(self, about: About, terms: ChildTerms) -> list[Word]:
        """As they came, without repetitions."""
        words = [
            event.word
            for event in self.all(ExecutionReport)
            if (event.about, event.child_id) == (about, terms.child_id)
        ]
        return [word for index, word in enumerate(words) if words[index - 1 : index] != [word]]

    @property
    def fills(self) -> dict[str, Fill]:
        """Each once, however often it was told."""
        return {event.fill.fill_id: event.fill for event in self.all(FillReported)}

    @property
    def is_live(self) -> bool:
        streams = self.all(AccountStream)
        return bool(streams) and streams[-1].is_live


class OnSockets(Told):
    """One venue, its connector with an account, and the truth beside."""

    def __init__(self, venue: Served, account: SimulatedAccount, settings: VenueSettings) -> None:
        super().__init__()
        self.venue = venue
        self.account = account
        self.taped: list[tuple[str, str, str]] = []
        instruments = Instruments()
        (self.listing,) = settings.fixed_listings(instruments.listed)
        module = import_module(f"connectors.{settings.venue}")
        machine = venue_machine(settings, lambda: module.MarketData(settings.book_channel), instruments, random.random)
        private = account_machine(
            settings, module.OrderEntry, {self.listing.symbol: self.listing}, Credentials(KEY, SECRET), random.random
        )
        self.connector = Connector(
            machine, settings.endpoints.rest, self._publish, time.time_ns, self._tape, account=private
        )

    def child(self, number: int, **options: int) -> ChildTerms:
        return child_of(self.listing, number, self.venue.exchange, **options)

    def order(self, terms: ChildTerms) -> SimulatedOrder | None:
        return next(
            (order for order in self.account.all_orders() if order.client_id.removeprefix("t-") == terms.child_id), None
        )

    async def _publish(self, events: Sequence[Any]) -> None:
        self.events += [event for event in events if not hasattr(event, "bids")]

    def _tape(self, at_ns: int, venue: str, kind: str, url: str, payload: str | bytes | None) -> None:
        if isinstance(payload, bytes):
            payload = (gzip.decompress(payload) if payload.startswith(b"\x1f\x8b") else payload).decode()
        self.taped.append((kind, url, payload or ""))


def moved(settings: VenueSettings, host: str) -> VenueSettings:
    endpoints = {
        name: f"{'ws' if url.startswith('ws') else 'http'}://{host}{urlsplit(url).path}"
        for name, url in settings.endpoints.model_dump(exclude_none=True).items()
    }
    return settings.model_copy(update={"endpoints": settings.endpoints.model_copy(update=endpoints)})


def simulating(name: str) -> tuple[Callable[[SimulatedExchange], SimulatedVenue], list[SimulatedAccount]]:
    module, accounts = import_module(f"connectors.{name}.simulator"), list[SimulatedAccount]()

    def simulate(exchange: SimulatedExchange) -> SimulatedVenue:
        accounts.append(module.account_of(exchange, key=KEY, secret=SECRET))
        venue: SimulatedVenue = module.simulator(exchange, accounts[0])
        return venue

    return simulate, accounts


@asynccontextmanager
async def trading(name: str) -> AsyncIterator[OnSockets]:
    simulate, accounts = simulating(name)
    async with served(name, simulate) as venue:
        venue.exchange.freeze()
        desk = OnSockets(venue, accounts[0], moved(settings_of(name, ["BTC/USDT"]), venue.host))
        running = asyncio.create_task(desk.connector.run())
        try:
            await until(lambda: desk.is_live or running.done())
            yield desk
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


@pytest.mark.parametrize("name", VENUES)
async def test_an_order_rests_and_is_canceled(name: str) -> None:
    async with trading(name) as desk:
        terms = desk.child(1)
        await desk.connector.submit(PlaceChild(terms))
        await until(lambda: Word.WORKING in desk.words(About.PLACE, terms) + desk.words(About.STREAM, terms))
        order = desk.order(terms)
        assert order is not None
        assert (order.status, order.price, order.quantity) == (Status.OPEN, terms.limit_price, terms.quantity)
        await desk.connector.submit(AskAccount(name))
        await until(lambda: bool(desk.all(OpenOrdersRead)))
        assert desk.all(OpenOrdersRead)[-1].child_ids == (terms.child_id,)
        (placed,) = {event.venue_order_id for event in desk.all(ExecutionReport) if event.venue_order_id}
        await desk.connector.submit(CancelChild(terms, placed))
        await until(lambda: Word.ENDED in desk.words(About.CANCEL, terms) + desk.words(About.STREAM, terms))
        await until(lambda: order.status is Status.CANCELED)


@pytest.mark.parametrize("name", VENUES)
async def test_an_order_that_takes_is_filled_and_its_fills_are_told(name: str) -> None:
    async with trading(name) as desk:
        terms = replace(desk.child(1, part_of_price=110), time_in_force=TimeInForce.IOC)
        await desk.connector.submit(PlaceChild(terms))
        await until(lambda: len(desk.fills) == len(desk.account.fills()) > 0)
        told = desk.fills
        assert sum(fill.quantity for fill in told.values()) == terms.quantity
        order = desk.order(terms)
        assert order is not None
        assert sum(fill.notional for fill in told.values()) == order.notional
        await desk.connector.submit(AskChild(terms, "", time.time_ns()))
        await until(lambda: desk.words(About.ASK, terms) == [Word.ENDED])


@pytest.mark.parametrize("name", VENUES)
@pytest.mark.parametrize(("fault", "is_there"), [("order_reply_lost", True), ("order_lost", False)])
async def test_an_order_whose_reply_is_lost_is_in_doubt_until_asked_after(
    name: str, fault: str, is_there: bool
) -> None:
    async with trading(name) as desk:
        desk.venue.faults.switch_on("private_silent")
        desk.venue.faults.switch_on(fault, count=1)
        terms = desk.child(1)
        await desk.connector.submit(PlaceChild(terms))
        await until(lambda: bool(desk.words(About.PLACE, terms)))
        assert desk.words(About.PLACE, terms) == [Word.IN_DOUBT]
        await until(lambda: (order := desk.order(terms)) is None or order.status is Status.OPEN)
        await desk.connector.submit(AskChild(terms, "", time.time_ns()))
        await until(lambda: bool(desk.words(About.ASK, terms)))
        assert desk.words(About.ASK, terms) == [Word.WORKING if is_there else Word.MISSING]
        orders = [order for order in desk.account.all_orders() if order.client_id]
        assert len(orders) == is_there, "whatever happened, it was not sent twice"


@pytest.mark.parametrize("name", VENUES)
async def test_what_is_said_of_the_account_is_on_no_tape(name: str) -> None:
    async with trading(name) as desk:
        terms = desk.child(1)
        await desk.connector.submit(PlaceChild(terms))
        await desk.connector.submit(AskAccount(name))
        await until(lambda: bool(desk.words(About.PLACE, terms) and desk.all(BalancesRead) and desk.all(FeesRead)))
        await until(lambda: any(kind == "received" for kind, _, _ in desk.taped))
        for kind, url, payload in desk.taped:
            assert not any(secret in url + payload for secret in (KEY, SECRET, terms.child_id)), kind


async def test_an_account_that_is_left_says_what_it_does_not_know() -> None:
    async with trading("binance") as desk:
        desk.venue.faults.switch_on("order_timeout", ns=60 * SECOND)
        terms = desk.child(1)
        await desk.connector.submit(PlaceChild(terms))
        await until(lambda: desk.order(terms) is not None)
    assert desk.words(About.PLACE, terms) == [Word.IN_DOUBT]
    assert not desk.is_live
    late = desk.child(2)
    await desk.connector.submit(PlaceChild(late))
    assert desk.words(About.PLACE, late) == [Word.NOT_SENT]


async def test_without_an_account_nothing_is_sent() -> None:
    told = Told()

    async def publish(events: Sequence[Any]) -> None:
        told.events += events

    settings = settings_of("binance", ["BTC/USDT"])
    module = import_module("connectors.binance")
    machine = venue_machine(settings, module.MarketData, Instruments(), random.random)
    connector = Connector(machine, settings.endpoints.rest, publish, time.time_ns)
    (listing,) = settings.fixed_listings(Instruments().listed)
    terms = child_of(listing, 1, SimulatedExchange("binance", [listing], 1, START_NS))
    requests: list[OrderRequest] = [PlaceChild(terms), CancelChild(terms, ""), AskChild(terms, "", 0)]
    for request in requests:
        await connector.submit(request)
    assert [(event.about, event.word) for event in told.all(ExecutionReport)] == [
        (About.PLACE, Word.NOT_SENT),
        (About.CANCEL, Word.NOT_SENT),
        (About.ASK, Word.IN_DOUBT),
    ]


class InMemory(Told):
    def __init__(self, name: str = "binance") -> None:
        super().__init__()
        settings = moved(settings_of(name, ["BTC/USDT"]), "simulated")
        instruments = Instruments()
        (self.listing,) = settings.fixed_listings(instruments.listed)
        self.exchange = SimulatedExchange(name, [self.listing], 1, START_NS)
        self.exchange.freeze()
        simulate, accounts = simulating(name)
        self.venue = Faults(simulate(self.exchange), self.exchange, 1, accounts[0])
        self.account = accounts[0]
        self.loopback = Loopback(START_NS, lambda *_: None, lambda _, events, now_ns: self.events.extend(events))
        module = import_module(f"connectors.{name}")
        machine = venue_machine(settings, lambda: module.MarketData(settings.book_channel), instruments, lambda: 0)
        credentials = Credentials(KEY, SECRET)
        private = account_machine(
            settings, module.OrderEntry, {self.listing.symbol: self.listing}, credentials, lambda: 0
        )
        self.lane: Lane = self.loopback.join(machine, self.venue, 20 * MS, private)
        self.loopback.run_for(5 * SECOND)

    def placed(self, within_ns: int) -> list[tuple[Word, int]]:
        """Place a child, and let time pass: what is told of it, and how much later."""
        terms, sent_ns = child_of(self.listing, 1, self.exchange), self.loopback.now_ns
        self.lane.submit(PlaceChild(terms))
        self.loopback.run_for(within_ns)
        return [
            (event.word, event.received_ns - sent_ns)
            for event in self.all(ExecutionReport)
            if event.about is About.PLACE
        ]


class TestInMemory:
    def test_it_goes_live_and_a_reply_takes_the_way_there_and_back(self) -> None:
        desk = InMemory()
        assert desk.is_live
        assert desk.placed(SECOND) == [(Word.WORKING, 40 * MS)]

    def test_a_connection_that_is_refused_has_carried_nothing(self) -> None:
        desk = InMemory()
        desk.lane.switch_on("refuse")
        assert desk.placed(SECOND) == [(Word.NOT_SENT, 40 * MS)]
        assert desk.account.all_orders() == []

    def test_a_reply_that_takes_too_long_is_not_waited_for(self) -> None:
        desk = InMemory()
        desk.lane.switch_on("fill_before_ack", ns=REPLY_PATIENCE_NS)
        assert desk.placed(60 * SECOND) == [(Word.IN_DOUBT, REPLY_PATIENCE_NS)]
        assert len(desk.account.all_orders()) == 1

    def test_a_reply_that_just_comes_in_time_is_heard(self) -> None:
        desk = InMemory()
        desk.lane.switch_on("fill_before_ack", ns=REPLY_PATIENCE_NS - 40 * MS)
        assert desk.placed(60 * SECOND) == [(Word.WORKING, REPLY_PATIENCE_NS)]

    def test_a_connection_that_ends_instead_leaves_it_in_doubt(self) -> None:
        desk = InMemory()
        desk.lane.switch_on("order_lost")
        assert desk.placed(SECOND) == [(Word.IN_DOUBT, 40 * MS)]
        assert desk.account.all_orders() == []
