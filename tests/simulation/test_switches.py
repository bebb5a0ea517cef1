"""Venues are switched, drained, left and followed again among orders, in simulated time: no order is lost, none is
where nobody asks after it, and the other venues notice nothing."""

from __future__ import annotations

import gc
from functools import partial
from typing import Any

import pytest

from aggregator.domain.effects import VenueTurned
from aggregator.domain.instrument import Side
from aggregator.domain.order import OrderType, TimeInForce
from aggregator.domain.order_events import OrderEvent
from aggregator.domain.switches import VenueState, VenueSwitched
from tests.simulation.one_venue import MS, SECOND
from tests.simulation.trading_floor import VENUES, TradingFloor

TIMES = 1000
EVERY = -(-TIMES // 250)
"""Orders are placed no more often than all of them are still remembered at the end."""

STEADY = "binance"
"""The one that is never switched."""


class SwitchedFloor(TradingFloor):
    """Follows what the engine says of each venue, as the service does."""

    def __init__(self, seed: int) -> None:
        self.left: set[str] = set()
        super().__init__(seed)

    def switch(self, venue: str, state: VenueState, *, route: bool = True) -> None:
        self.post(VenueSwitched(self.now_ns, venue, True, route, state, "a test", "trying", has_account=True))

    def post(self, event: OrderEvent) -> None:
        super().post(event)
        for effect in self.journal[-1][2]:
            if isinstance(effect, VenueTurned):
                self.loopback.at(self.now_ns, partial(self._settle, effect.venue))

    def _settle(self, venue: str) -> None:
        is_off = self.engine.orders.state.is_off(venue)
        if is_off and venue not in self.left:
            self.left.add(venue)
            self.leave(venue)
        elif not is_off and venue in self.left:
            self.left.discard(venue)
            self.join(venue)


@pytest.mark.parametrize("seed", range(2))
def test_no_order_is_lost_however_venues_come_and_go(seed: int) -> None:
    floor = SwitchedFloor(seed)
    floor.until_ready()
    random, objects = floor.random, 0
    for number in range(TIMES):
        if number == TIMES // 2:
            gc.collect()
            objects = len(gc.get_objects())
        venue = random.choice([name for name in VENUES if name != STEADY])
        state = random.choice([VenueState.ACTIVE, VenueState.ACTIVE, VenueState.DRAINING, VenueState.OFF])
        terms: dict[str, Any] = {}
        if random.randrange(2):
            limit = floor.btc.price(random.choice(("59000", "61000", "60500")))
            terms = {"type": OrderType.LIMIT, "limit_price": limit, "time_in_force": TimeInForce.GTC}
        if not number % EVERY:
            floor.order(f"c{number}", random.choice(("0.05", "0.4")), random.choice((Side.BUY, Side.SELL)), **terms)
        floor.run(random.randrange(300) * MS)
        floor.switch(venue, state, route=bool(random.randrange(4)))
        floor.run(random.randrange(2000) * MS)
        for name in floor.left:
            assert not list(floor.engine.orders.state.live_children(name)), "an order lives where nobody asks after it"
            assert not floor.accounts[name].open_orders()
            assert not floor.engine.market.books("BTC/USDT")[name].is_live
    steady = floor.loopback.lanes[STEADY].machine.status(floor.now_ns)
    assert (steady.connects, steady.open_connections) == (1, 1)
    assert floor.engine.market.books("BTC/USDT")[STEADY].counters.gaps == 0
    for name in VENUES:
        floor.switch(name, VenueState.ACTIVE)
    floor.until(lambda: not floor.engine.orders.reconciling, 60 * SECOND)
    floor.finish()
    floor.adds_up()
    floor.journal.clear()
    gc.collect()
    assert objects == 0 or len(gc.get_objects()) < objects * 2


def test_a_killed_service_finds_the_switches_as_they_were() -> None:
    floor = SwitchedFloor(3)
    floor.until_ready()
    floor.switch("huobi", VenueState.OFF)
    floor.switch("gateio", VenueState.ACTIVE, route=False)
    floor.run(SECOND)
    before = floor.engine.orders.state.switches
    floor.kill_service()
    floor.start_service()
    assert floor.engine.orders.state.switches == before
    floor.until(lambda: not floor.engine.orders.reconciling, 60 * SECOND)
    order = floor.order("c1", "0.4")
    floor.until(lambda: not order.is_open)
    assert {child.terms.venue for child in order.children.values()} <= {"binance", "cryptocom"}
    assert order.plans[0]["excluded"]["huobi"] == "switched off by a test: trying"
    assert order.plans[0]["excluded"]["gateio"] == "its route is switched off by a test: trying"
