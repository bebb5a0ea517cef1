"""The process ends at every journal write and around every effect of a scripted run, and starts again."""

from contextlib import suppress

from aggregator.domain.instrument import Side
from aggregator.domain.order import OrderType, TimeInForce
from aggregator.domain.order_events import CancelRequested
from aggregator.engine.digest import orders_sha256
from tests.engine.plain_venues import ALL, BTC, Killed, Mischief, World, replayed
from tests.engine.test_order_runs import everything_adds_up


def script(world: World) -> None:
    """A market order over all venues, one that rests, and a sale."""
    world.start()
    world.run(1)
    ask_for_all(world)
    world.run(20)


def ask_for_all(world: World) -> None:
    world.order("market", "4")
    world.run(1)
    world.order("resting", "3", type=OrderType.LIMIT, limit_price=BTC.price("60002"), time_in_force=TimeInForce.GTC)
    world.order("sale", "2", side=Side.SELL)


def finish(world: World) -> None:
    """What clients do after an outage: ask again for what they had no answer to, then end what still rests."""
    world.run(40)
    ask_for_all(world)
    world.run(40)
    for parent in list(world.engine.orders.state.open.values()):
        world.post(CancelRequested(0, "desk", parent.order_id))
    world.run(600)


def steps_of(seed: int, mischief: Mischief) -> int:
    world = World(seed, mischief)
    script(world)
    return world.steps


def crashed_at(step: int, seed: int, mischief: Mischief) -> World:
    world = World(seed, mischief, kill_at=step)
    with suppress(Killed):
        script(world)
    return world


def test_killed_anywhere_nothing_is_lost_doubled_or_forgotten() -> None:
    quiet, seed = Mischief(), 3
    steps = steps_of(seed, quiet)
    assert steps > 100
    for step in range(1, steps + 1):
        world = crashed_at(step, seed, quiet)
        world.restart()
        finish(world)
        everything_adds_up(world)
        asked = [parent.terms.client_order_id for parent in world.engine.orders.parents.values()]
        assert sorted(asked) == ["market", "resting", "sale"], f"killed at step {step}"


def test_killed_anywhere_among_faulty_venues() -> None:
    seed = 5
    steps = steps_of(seed, ALL)
    for step in range(1, steps + 1, 3):
        world = crashed_at(step, seed, ALL)
        world.restart()
        finish(world)
        everything_adds_up(world)


def test_live_and_replayed_state_are_one() -> None:
    for seed in range(10):
        world = World(seed, ALL)
        script(world)
        live, again = world.engine.orders.document(), replayed(world.journal, world.now_ns).orders.document()
        assert again == live
        assert orders_sha256(again) == orders_sha256(live)


def test_a_process_that_dies_again_and_again_still_ends_everything() -> None:
    for seed in range(20):
        world = World(seed, ALL)
        world.start()
        world.run(1)
        world.order("market", "5")
        world.order("resting", "3", type=OrderType.LIMIT, limit_price=BTC.price("60003"), time_in_force=TimeInForce.GTC)
        for _ in range(5):
            world.run(world.random.randrange(4))
            world.restart()
        world.run(60)
        for parent in list(world.engine.orders.state.open.values()):
            world.post(CancelRequested(0, "desk", parent.order_id))
        world.run(600)
        everything_adds_up(world)
