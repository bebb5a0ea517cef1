"""Orders through all of it in memory: engine, machines, wires and four venues that trade, with faults and kills."""

import os

import pytest

from aggregator.domain.instrument import Side
from aggregator.domain.order import OrderType, ParentState, TimeInForce
from connectors.simulation.order_faults import ORDER_FAULTS
from tests.simulation.one_venue import MS, SECOND
from tests.simulation.trading_floor import VENUES, TradingFloor

IS_LONG = bool(os.environ.get("AGGREGATOR_LONG_RUN"))
RUNS = 2000 if IS_LONG else 24
KILLS = 500 if IS_LONG else 8


def ready(seed: int = 1) -> TradingFloor:
    floor = TradingFloor(seed)
    floor.until_ready()
    return floor


def test_an_order_is_split_over_the_venues_filled_and_settled_to_the_last_unit() -> None:
    floor = ready()
    parent = floor.order("c1", "5")
    floor.until(lambda: not parent.is_open)
    assert parent.state is ParentState.FILLED and parent.filled == floor.btc.quantity("5")
    assert len({child.terms.venue for child in parent.children.values()}) > 1
    sale = floor.order("c2", "5", Side.SELL)
    floor.finish()
    assert sale.state is ParentState.FILLED
    floor.adds_up()


@pytest.mark.parametrize("venue", VENUES)
def test_an_order_that_rests_is_canceled_and_leaves_nothing_held(venue: str) -> None:
    floor = ready()
    limit = floor.btc.price("20000")
    parent = floor.order(
        "c1", "0.5", type=OrderType.LIMIT, limit_price=limit, time_in_force=TimeInForce.GTC, venues=(venue,)
    )
    floor.until(lambda: [child.state for child in parent.children.values()] == ["working"])
    floor.run(SECOND)
    (order,) = floor.accounts[venue].open_orders()
    assert (order.price, order.quantity) == (limit, floor.btc.quantity("0.5"))
    floor.finish()
    assert parent.state is ParentState.UNFILLED
    assert all(held == 0 for _, held in floor.accounts[venue].balances().values())
    floor.adds_up()


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("fault", sorted(ORDER_FAULTS))
def test_whatever_befalls_an_order_its_end_is_the_venues_word(venue: str, fault: str) -> None:
    floor = ready()
    floor.venues[venue].switch_on(fault)
    parent = floor.order("c1", "0.3", venues=(venue,))
    floor.run(2 * SECOND)
    floor.venues[venue].switch_off(fault)
    floor.until(lambda: not parent.is_open, 120 * SECOND)
    floor.finish()
    floor.adds_up()


def busy(floor: TradingFloor) -> None:
    """Orders of every kind while the venues misbehave as the seed has it."""
    random = floor.random
    kinds = sorted(ORDER_FAULTS)
    for number in range(6):
        for name in random.sample(VENUES, 3):
            floor.venues[name].switch_on(random.choice(kinds), probability=random.choice((0.3, 1.0)))
        side = random.choice((Side.BUY, Side.SELL))
        terms: dict[str, object] = {}
        if random.randrange(3):
            force = random.choice((TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK))
            mid = (
                next(iter(floor.exchanges.values())).fair_price("BTCUSDT", floor.now_ns)
                if "binance" in floor.exchanges
                else 0
            )
            limit = mid * random.choice((998, 1000, 1002)) // 1000
            terms = {"type": OrderType.LIMIT, "limit_price": limit, "time_in_force": force}
        floor.order(f"c{number}", random.choice(("0.05", "0.7", "3")), side, **terms)
        floor.run(random.randrange(1, 4000) * MS)
        for name in VENUES:
            for fault in floor.venues[name].active():
                floor.venues[name].switch_off(str(fault["name"]))


@pytest.mark.parametrize("seed", range(RUNS))
def test_faults_dealt_at_random_lose_nothing_and_double_nothing(seed: int) -> None:
    floor = ready(seed)
    busy(floor)
    floor.finish()
    floor.adds_up()


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_service_that_is_killed_among_faulty_venues_finds_everything_again(seed: int) -> None:
    floor = ready(seed)
    for _ in range(2):
        busy(floor)
        floor.kill_service()
        floor.run(floor.random.randrange(5000) * MS)
        floor.start_service()
        floor.run(floor.random.randrange(3000) * MS)
    floor.finish()
    floor.adds_up()


def test_a_fill_uses_the_book_up_and_it_grows_back() -> None:
    """Row 27 of the lessons: paper fills that leave the book as it is promise depth that is not there."""
    floor = ready()
    exchange = floor.exchanges["binance"]
    exchange.freeze()
    best = exchange.book("BTCUSDT").asks.prices[0]
    there = exchange.book("BTCUSDT").asks.quantities[0]
    lot = floor.btc.quantity("0.00001")
    parent = floor.order("c1", floor.btc.show_quantity(there // lot * lot), venues=("binance",))
    floor.until(lambda: not parent.is_open)
    after = exchange.book("BTCUSDT")
    left = dict(zip(*after.asks, strict=True)).get(best, 0)
    assert left < there
    exchange.thaw()
    floor.run(60 * SECOND)
    assert sum(exchange.book("BTCUSDT").asks.quantities[:10]) > 0
    floor.finish()
    floor.adds_up()
