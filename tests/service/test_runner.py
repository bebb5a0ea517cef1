"""Events are applied in order, effects carried out, a full inbox makes posters wait, an orderly stop loses nothing."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from aggregator.books.venue_book import Freshness
from aggregator.domain.book import NO_LEVELS, Health, Levels
from aggregator.domain.effects import Effect, HealthChanged
from aggregator.domain.events import BookDelta, BookSnapshot, Event, ListingsRead
from aggregator.domain.instrument import Instrument, Listing
from aggregator.engine.engine import Engine
from aggregator.engine.views import Views
from aggregator.service.dispatcher import Dispatcher
from aggregator.service.runner import INBOX_AT_MOST, Runner

T = TypeVar("T")

BTC = Instrument.of("BTC", "USDT")
LISTING = Listing("binance", "BTCUSDT", BTC)
LISTED = ListingsRead("binance", 0, [LISTING])


def snapshot(bid: int, ask: int, at_ns: int = 1) -> BookSnapshot:
    return BookSnapshot("binance", BTC.name, at_ns, at_ns, Levels([bid], [10]), Levels([ask], [10]))


async def until(watched: T, holds: Callable[[T], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds(watched):
            await asyncio.sleep(0.005)


async def test_batches_are_applied_in_the_order_of_posting() -> None:
    engine, effects = Engine(), list[Effect]()
    runner = Runner(engine, lambda: 0, effects.extend)
    task = asyncio.create_task(runner.run())
    await runner.post([LISTED, snapshot(100, 110)])
    for quantity in range(1, 200):
        await runner.post([BookDelta("binance", BTC.name, 2, 2, Levels([100], [quantity]), NO_LEVELS)])
    await until(runner, lambda runner: runner.waiting == 0 and runner.applied >= 200)
    task.cancel()
    assert engine.market.books(BTC.name)["binance"].bids.quantity_at(100) == 199
    assert [effect.after for effect in effects if isinstance(effect, HealthChanged)] == [Health.LIVE]


async def test_a_full_inbox_makes_the_poster_wait_and_drops_nothing() -> None:
    engine = Engine()
    runner = Runner(engine, lambda: 0, lambda effects: None)
    batches: list[list[Event]] = [[LISTED]]
    batches += ([snapshot(100, 110 + n)] for n in range(INBOX_AT_MOST + 500))

    async def post_all() -> None:
        for batch in batches:
            await runner.post(batch)

    poster = asyncio.create_task(post_all())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert runner.waiting == INBOX_AT_MOST
    assert not poster.done()
    task = asyncio.create_task(runner.run())
    await poster
    await until(runner, lambda runner: runner.waiting == 0)
    task.cancel()
    assert engine.market.books(BTC.name)["binance"].counters.updates == len(batches) - 1


async def test_an_orderly_stop_applies_what_still_waits() -> None:
    engine = Engine()
    runner = Runner(engine, lambda: 0, lambda effects: None)
    await runner.post([LISTED])
    await runner.post([snapshot(100, 110)])
    runner.drain()
    assert engine.market.books(BTC.name)["binance"].is_live


async def test_time_reaches_the_engine_as_a_message_and_makes_silence_stale() -> None:
    now_ns = 1
    engine = Engine({"binance": Freshness(silent_ns=50)})
    runner = Runner(engine, lambda: now_ns, lambda effects: None)
    task = asyncio.create_task(runner.run())
    await runner.post([LISTED, snapshot(100, 110)])
    await until(engine, lambda engine: engine.now_ns == 1)
    now_ns = 100
    await until(engine, lambda engine: engine.market.books(BTC.name)["binance"].health is Health.STALE)
    task.cancel()


async def test_a_crossed_book_is_asked_for_anew_and_readers_are_refreshed() -> None:
    engine, asked = Engine(), list[tuple[str, str]]()
    views = Views(engine)

    async def resync(venue: str, symbol: str, reason: str) -> None:
        assert venue == "binance"
        asked.append((symbol, reason))

    dispatcher = Dispatcher(views, 1000, resync)
    runner = Runner(engine, lambda: 0, dispatcher.carry_out)
    tasks = [asyncio.create_task(runner.run()), asyncio.create_task(dispatcher.run())]
    await runner.post([LISTED, snapshot(100, 110)])
    await until(views, lambda views: runner.applied >= 1 and views.book(BTC.name).venues == ("binance",))
    await runner.post([snapshot(110, 110)])
    await until(asked, lambda asked: len(asked) == 1)
    await until(views, lambda views: views.book(BTC.name).venues == ())
    for task in tasks:
        task.cancel()
    assert asked == [("BTCUSDT", "best bid 0.00000000011 is not below best ask 0.00000000011")]
    assert views.book(BTC.name).excluded == {"binance": f"crossed: {asked[0][1]}"}
