"""Orders at venues that lose, delay, double and refuse: thousands of seeded runs, and what must be true after each."""

import os

import pytest

from aggregator.domain.effects import PlaceChild
from aggregator.domain.instrument import Side
from aggregator.domain.lifecycle import ChildState
from aggregator.domain.order import OrderType, ParentOrder, TimeInForce
from aggregator.domain.order_events import AmendRequested, CancelRequested
from tests.engine.plain_venues import ALL, BTC, ONE, World

RUNS = 6000 if os.environ.get("AGGREGATOR_LONG_RUN") else 300
KINDS = 4


def busy_run(seed: int) -> World:
    """Some orders of every kind, with cancels and amendments in between."""
    world = World(seed, ALL)
    world.start()
    world.run(1)
    random = world.random
    for number in range(6):
        side = random.choice((Side.BUY, Side.SELL))
        limit = BTC.price(random.choice(("59990", "60001", "60005", "60010")))
        kind = random.randrange(KINDS)
        terms: dict[str, object] = {"side": side}
        if kind:
            force = (TimeInForce.IOC, TimeInForce.GTC, TimeInForce.FOK)[kind - 1]
            terms |= {"type": OrderType.LIMIT, "limit_price": limit, "time_in_force": force}
        world.order(f"c{number}", random.choice(("0.5", "2", "7.777")), **terms)
        world.run(random.randrange(3))
        parent = world.engine.orders.find("desk", f"c{random.randrange(number + 1)}")
        if parent is not None and random.randrange(3) == 0:
            world.post(CancelRequested(0, "desk", parent.order_id))
        elif parent is not None and random.randrange(4) == 0:
            quantity = BTC.quantity(random.choice(("1", "3", "9")))
            world.post(AmendRequested(0, "desk", parent.order_id, BTC, quantity))
    world.run(30)
    for parent in list(world.engine.orders.state.open.values()):
        world.post(CancelRequested(0, "desk", parent.order_id))
    world.run(600)
    return world


def everything_adds_up(world: World) -> None:
    """Nothing lost, nothing doubled, nothing forgotten, nothing past what was asked."""
    truth, orders = world.truth(), world.engine.orders
    known = {child_id: child for parent in orders.parents.values() for child_id, child in parent.children.items()}
    assert set(truth) <= set(known), "a venue has an order of which nothing is known"
    assert not orders.state.open, [parent.children for parent in orders.state.open.values()]
    for child_id, child in known.items():
        assert child.filled == truth.get(child_id, 0), child
        assert sum(fill.quantity for fill in child.fills.values()) == child.filled
    for venue in world.venues.values():
        assert all(times <= 1 for times in venue.arrivals.values()), "an order was sent twice"
        account = orders.state.venues[venue.name]
        assert {asset: account.expected.get(asset, 0) for asset in venue.balances} == venue.balances
    for parent in orders.parents.values():
        assert parent.filled == sum(child.filled for child in parent.children.values())
        assert parent.filled <= most_asked(world, parent)


def most_asked(world: World, parent: ParentOrder) -> int:
    """An order that is made smaller while a venue fills it may come to what was asked before."""
    events = [entry.event for entry in world.journal]
    amended = [event.quantity or 0 for event in events if getattr(event, "order_id", "") == parent.order_id
               and isinstance(event, AmendRequested)]  # fmt: skip
    return max(parent.terms.quantity, *amended, 0)


@pytest.mark.parametrize("seed", range(RUNS))
def test_whatever_venues_and_networks_do_everything_adds_up(seed: int) -> None:
    world = busy_run(seed)
    everything_adds_up(world)


def test_the_runs_contain_every_way_in_which_a_child_can_end() -> None:
    ended = {
        child.state
        for seed in range(30)
        for parent in busy_run(seed).engine.orders.parents.values()
        for child in parent.children.values()
    }
    assert ended == {
        ChildState.FILLED, ChildState.PARTLY_FILLED, ChildState.UNFILLED, ChildState.REJECTED, ChildState.NOT_SENT,
        ChildState.MISSING,
    }  # fmt: skip


def test_ids_are_never_used_twice_even_with_a_clock_that_is_set_back() -> None:
    world = World(1)
    world.start()
    world.run(1)
    for number in range(40):
        world.now_ns -= 1_000_000_000 if number == 20 else 0
        world.order(f"c{number}", "0.1")
    placed = [e.terms.child_id for entry in world.journal for e in entry.effects if isinstance(e, PlaceChild)]
    assert len(placed) == len(set(placed)) >= 40
    assert all(len(child_id) == 20 for child_id in placed)
    assert world.engine.orders.state.open or ONE
