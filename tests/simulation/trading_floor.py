"""The engine, the connectors' machines and four simulated venues that trade, in memory under one clock.

What the engine is told and does on the order side is written down as the runner would, so the service can be killed
and started again while the venues go on. `adds_up` holds everything against the venues' own records.
"""

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from random import Random
from typing import Any

from aggregator.domain.effects import (
    Alarm,
    AskAccount,
    AskChild,
    AskFills,
    CancelChild,
    Effect,
    PlaceChild,
    RequestAnswered,
    ResyncWanted,
)
from aggregator.domain.events import MarketEvent, Tick
from aggregator.domain.instrument import Instruments, Side
from aggregator.domain.order import OrderTerms, OrderType, ParentOrder
from aggregator.domain.order_events import CancelAllRequested, OrderEvent, OrderRequested, Started, Timer
from aggregator.engine.engine import Engine
from aggregator.routing.record import Seen
from connectors.account import account_machine
from connectors.machine import venue_machine
from connectors.simulation.exchange import SimulatedExchange
from connectors.simulation.faults import Faults
from connectors.simulation.loopback import Loopback
from connectors.trading import Credentials
from tests.simulation.one_venue import MS, SECOND, START_NS, settings_of

VENUES = ("binance", "cryptocom", "gateio", "huobi")
KEY, SECRET = "simulated-key", "simulated-secret"
SENT_TO_VENUES = (PlaceChild, CancelChild, AskChild, AskFills, AskAccount)


class TradingFloor:
    def __init__(self, seed: int = 1, listings: Sequence[str] = ("BTC/USDT",), venues: Sequence[str] = VENUES) -> None:
        self.random = Random(seed)
        self.settings = {name: _settings(name, listings) for name in venues}
        self.instruments = Instruments()
        self.btc = self.instruments.listed("BTC/USDT")
        self.exchanges: dict[str, SimulatedExchange] = {}
        self.accounts: dict[str, Any] = {}
        self.venues: dict[str, Faults] = {}
        for name, settings in self.settings.items():
            fixed = settings.fixed_listings(self.instruments.listed)
            exchange = SimulatedExchange(name, fixed, seed, START_NS, depth=40, mean_wait_ns=SECOND)
            module = import_module(f"connectors.{name}.simulator")
            account = module.account_of(exchange, key=KEY, secret=SECRET)
            self.exchanges[name], self.accounts[name] = exchange, account
            self.venues[name] = Faults(module.simulator(exchange, account), exchange, seed, account)
        self.opening = self.truth_of_balances()
        self.journal: list[tuple[OrderEvent, list[Seen], list[Effect]]] = []
        self.alarms: list[Alarm] = []
        self.answers: list[RequestAnswered] = []
        self.placed: list[str] = []
        self.loopback = Loopback(START_NS, self._told, self._told_account)
        self.loopback.every(100 * MS, self._tick)
        self._is_down = True
        self.start_service()

    @property
    def now_ns(self) -> int:
        return self.loopback.now_ns

    def start_service(self) -> None:
        self.engine = Engine()
        for number, (event, seen, effects) in enumerate(self.journal):
            again = list(self.engine.replay(event, seen))
            assert again == effects, f"entry {number} came to something else: {event}"
        self._is_down = False
        for name in self.settings:
            self.join(name)
        self.post(Started(self.now_ns, "abc123", tuple(self.settings)))

    def join(self, name: str) -> None:
        """Follow a venue and its account, by machines that know nothing yet."""
        settings, connector = self.settings[name], import_module(f"connectors.{name}")
        listings = {listing.symbol: listing for listing in settings.fixed_listings(self.instruments.listed)}
        jitter = self.random.random
        market_data = partial(connector.MarketData, settings.book_channel)
        machine = venue_machine(settings, market_data, self.instruments, jitter)
        account = account_machine(settings, connector.OrderEntry, listings, Credentials(KEY, SECRET), jitter)
        self.loopback.join(self.follow(machine), self.venues[name], account=account)

    def leave(self, name: str) -> None:
        """Follow a venue no more: its sockets end, and what its books showed is lost."""
        lane = self.loopback.lanes[name]
        events = lane.machine.stop("switched off", self.now_ns)
        lane._market.act()
        lane.stop_account("switched off")
        self._told(name, events, self.now_ns)

    def follow(self, machine: Any) -> Any:
        """The machine that follows a venue, for whoever wants to listen in."""
        return machine

    def kill_service(self) -> None:
        """As `kill -9` does: nothing more is read or sent, the sockets end, and what is on the wire arrives."""
        self._is_down = True
        for name, lane in self.loopback.lanes.items():
            lane.machine.stop(f"{name}: killed", self.now_ns)
            lane._market.act()
            lane.stop_account("killed")

    def post(self, event: OrderEvent) -> None:
        effects = list(self.engine.apply(event))
        self.journal.append((event, self.engine.take_seen(), effects))
        for effect in effects:
            self._carry_out(effect)

    def order(self, client_order_id: str, quantity: str = "1", side: Side = Side.BUY, **terms: Any) -> ParentOrder:
        given = {"type": OrderType.MARKET, **terms}
        made = OrderTerms("desk", client_order_id, self.btc, side, quantity=self.btc.quantity(quantity), **given)
        self.post(OrderRequested(self.now_ns, made))
        parent = self.engine.orders.find("desk", client_order_id)
        assert parent is not None
        return parent

    def run(self, duration_ns: int) -> None:
        self.loopback.run_for(duration_ns)

    def until(self, holds: Callable[[], bool], within_ns: int = 60 * SECOND) -> None:
        end_ns = self.now_ns + within_ns
        while not holds():
            assert self.now_ns < end_ns, self.described()
            self.run(50 * MS)

    def until_ready(self) -> None:
        """All books live, every account reconciled and its stream told to be live."""
        accounts = self.engine.orders.state.venues
        self.until(
            lambda: (
                not self.engine.orders.reconciling
                and all(account.is_stream_live for account in self.engine.orders.state.venues.values())
                and len([book for book in self.engine.market if book.is_live]) >= len(self.settings)
            )
        )
        assert set(accounts) == set(self.settings)

    def finish(self) -> None:
        """Switch every fault off, cancel what rests, and wait until everything has ended."""
        for venue in self.venues.values():
            for fault in venue.active():
                venue.switch_off(str(fault["name"]))
        self.until(lambda: self.engine.orders.state.is_gate_open)
        self.post(CancelAllRequested(self.now_ns, "*"))
        self.until(lambda: not self.engine.orders.state.open, 900 * SECOND)
        self.run(3 * SECOND)

    def truth_of_balances(self) -> dict[str, dict[str, int]]:
        return {
            name: {asset: free + held for asset, (free, held) in account.balances().items()}
            for name, account in self.accounts.items()
        }

    def adds_up(self) -> None:
        """Every child and every fill as the venue has it, each sent once, and balances to the last unit."""
        orders = self.engine.orders
        known = {child_id: child for parent in orders.parents.values() for child_id, child in parent.children.items()}
        assert len(self.placed) == len(set(self.placed)), "an order left twice"
        for name, account in self.accounts.items():
            ours = [order for order in account.all_orders() if order.client_id]
            ids = [order.client_id.removeprefix("t-") for order in ours]
            assert len(ids) == len(set(ids)), f"{name} has an order twice"
            assert set(ids) <= set(known), f"{name} has an order of which nothing is known"
            for order, child_id in zip(ours, ids, strict=True):
                assert not order.is_open, (name, order)
                assert known[child_id].filled == order.filled, (known[child_id], order)
        filled = {order.client_id.removeprefix("t-") for a in self.accounts.values() for order in a.all_orders()}
        assert not [child for child_id, child in known.items() if child.filled and child_id not in filled]
        for parent in orders.parents.values():
            assert parent.filled <= parent.quantity, parent
            assert parent.filled == sum(child.filled for child in parent.children.values())
        truth = self.truth_of_balances()
        for name, account in orders.state.venues.items():
            expected = {asset: account.expected.get(asset, 0) for asset in truth[name]}
            assert expected == truth[name], name
        # Fees in an asset of their own cannot appear here, so what is not in the fills would show as a difference.
        assert not [alarm for alarm in self.alarms if alarm.code in ("balance_differs", "unknown_child", "overfilled")]

    def described(self) -> str:
        orders = self.engine.orders
        lines = [f"{parent.order_id} {parent.state} {parent.reason}" for parent in orders.state.open.values()]
        lines += [
            f"  {child.terms.child_id} {child.terms.venue} {child.state} {child.venue_word} {child.reason} "
            f"executed {child.executed} filled {child.filled}"
            for child in orders.state.live_children()
        ]
        lines += [f"{venue}: {reason}" for venue, reason in orders.reconciling.items()]
        lines += [
            f"{name}: {lane.account.status(self.now_ns)}" for name, lane in self.loopback.lanes.items() if lane.account
        ]
        return "\n".join([*lines, *(str(alarm) for alarm in self.alarms[-5:])])

    def _told(self, venue: str, events: Sequence[MarketEvent], now_ns: int) -> None:
        if not self._is_down:
            for event in events:
                for effect in self.engine.apply(event):
                    self._carry_out(effect)

    def _told_account(self, venue: str, events: Sequence[Any], now_ns: int) -> None:
        for event in events:
            if self._is_down:
                return
            if isinstance(event, OrderEvent):
                self.post(event)
            else:
                self._told(venue, [event], now_ns)

    def _tick(self) -> None:
        if self._is_down:
            return
        for effect in self.engine.apply(Tick(self.now_ns)):
            self._carry_out(effect)
        wake_ns = self.engine.orders.wake_at_ns()
        if wake_ns is not None and wake_ns <= self.now_ns:
            self.post(Timer(self.now_ns))

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case ResyncWanted(venue, symbol, reason):
                lane = self.loopback.lanes[venue]
                self.loopback.at(self.now_ns, lambda: lane.resync(symbol, reason))
            case Alarm():
                self.alarms.append(effect)
            case RequestAnswered():
                self.answers.append(effect)
            case PlaceChild() | CancelChild() | AskChild() | AskFills():
                if isinstance(effect, PlaceChild):
                    self.placed.append(effect.terms.child_id)
                self._submit(effect.terms.venue, effect)
            case AskAccount(venue):
                self._submit(venue, effect)

    def _submit(self, venue: str, effect: Any) -> None:
        """Later, as in the service: what comes of it at once is another turn of the engine's."""
        lane = self.loopback.lanes[venue]
        self.loopback.at(self.now_ns, lambda: None if self._is_down else lane.submit(effect))


def _settings(name: str, listings: Sequence[str]) -> Any:
    settings = settings_of(name, listings)
    path = "/" + (settings.endpoints.private or "").partition("://")[2].partition("/")[2]
    endpoints = settings.endpoints.model_copy(update={"private": f"ws://simulated{path}"})
    return settings.model_copy(update={"endpoints": endpoints, "route": True})
