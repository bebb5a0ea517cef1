"""ccxt's own client, unmodified and pointed at the simulated HTX by addresses and options alone."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from connectors.huobi.simulator import HuobiSimulator
from connectors.huobi.simulator_topics import update_id_of
from connectors.simulation.contract import Outgoing
from connectors.simulation.exchange import SimulatedExchange
from tests.simulation.on_sockets import INSTRUMENTS, Served, ccxt_pro, served, theirs, true, until, watching

SYMBOLS = ("btcusdt", "ethusdt")
DEPTH = 150


def simulate(exchange: SimulatedExchange) -> HuobiSimulator:
    """Its snapshots always have something in them, and may be asked for at any pace, since a busy machine may bring two
    requests together that were sent apart."""
    return HuobiSimulator(exchange, one_empty_in=0, request_spacing_ns=0)


def client_of(venue: Served) -> Any:
    types = {"spot": True, "linear": False, "inverse": False}
    client = ccxt_pro().htx({"options": {"fetchMarkets": {"types": types}}})
    client.urls["api"]["spot"] = f"http://{venue.host}"
    client.urls["api"]["ws"]["api"]["spot"] = {"public": f"ws://{venue.host}/ws", "feed": f"ws://{venue.host}/feed"}
    return client


async def stopped(venue: Served, client: Any) -> None:
    """Let the books stand still, and the client have heard the last of them."""
    venue.exchange.freeze()
    for instrument, symbol in zip(INSTRUMENTS, SYMBOLS, strict=True):
        await until(lambda i=instrument, s=symbol: at(client, i) == venue.exchange.last_id(s))  # type: ignore[misc]


def at(client: Any, instrument: str) -> int:
    """The exchange's id that the client's book stands at."""
    return update_id_of(client.orderbooks[instrument]["nonce"] or 0)


@contextmanager
def loop_errors() -> Iterator[list[BaseException]]:
    """What nobody but the event loop gets to see."""
    loop, errors = asyncio.get_running_loop(), list[BaseException]()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: errors.append(context["exception"]))
    try:
        yield errors
    finally:
        loop.set_exception_handler(before)


async def test_ccxt_reads_the_market_list() -> None:
    async with served("huobi", simulate) as venue:
        client = client_of(venue)
        try:
            markets = await client.load_markets()
        finally:
            await client.close()
    assert set(markets) == set(INSTRUMENTS)
    btc = markets["BTC/USDT"]
    assert btc["active"] is True
    assert (btc["precision"]["price"], btc["precision"]["amount"]) == (0.01, 0.000001)
    assert (btc["limits"]["amount"]["min"], btc["limits"]["cost"]["min"]) == (0.00001, 5)


async def test_ccxt_keeps_the_true_books() -> None:
    async with served("huobi", simulate) as venue, watching(client := client_of(venue)) as watchers:
        await until(lambda: all(watcher.updates >= 20 for watcher in watchers.values()))
        await stopped(venue, client)
        for instrument, symbol in zip(INSTRUMENTS, SYMBOLS, strict=True):
            assert theirs(client, instrument) == true(venue, symbol, DEPTH)
        assert not any(watcher.errors for watcher in watchers.values())


async def test_ccxts_reader_stops_at_a_gap_and_a_fresh_client_has_the_true_books() -> None:
    """It notices the gap, but raises where nothing catches it: its socket is read no more, so both of its books stand
    still, and no caller is told. Repair in place, as ours, cannot be witnessed with it; a fresh start can, at which the
    venue's first snapshot is older than the stream."""
    async with served("huobi", simulate) as venue:
        async with watching(client := client_of(venue)) as watchers:
            await until(lambda: all(watcher.updates >= 10 for watcher in watchers.values()))
            with loop_errors() as errors:
                venue.faults.switch_on("gap", symbol="btcusdt")
                await until(lambda: bool(errors))
                stood = {instrument: (at(client, instrument), watchers[instrument].updates) for instrument in watchers}
                ids = {symbol: venue.exchange.last_id(symbol) for symbol in SYMBOLS}
                await until(lambda: all(venue.exchange.last_id(symbol) > ids[symbol] + 100 for symbol in SYMBOLS))
            assert {type(error).__name__ for error in errors} == {"ChecksumError"}
            assert stood == {i: (at(client, i), watcher.updates) for i, watcher in watchers.items()}
            assert not any(watcher.errors for watcher in watchers.values())

        async with watching(client := client_of(venue)) as watchers:
            await until(lambda: all(watcher.updates >= 10 for watcher in watchers.values()))
            await stopped(venue, client)
            for instrument, symbol in zip(INSTRUMENTS, SYMBOLS, strict=True):
                assert theirs(client, instrument) == true(venue, symbol, DEPTH)


class Barren(HuobiSimulator):
    """Every snapshot is empty."""

    def __init__(self, exchange: SimulatedExchange) -> None:
        super().__init__(exchange, one_empty_in=1, request_spacing_ns=0)
        self.asked: list[str] = []

    def received(self, client: int, frame: str | bytes, now_ns: int) -> list[Outgoing]:
        message = json.loads(frame)
        if "req" in message:
            self.asked.append(message["req"])
        return super().received(client, frame, now_ns)


async def test_ccxt_waits_for_ever_after_an_empty_snapshot() -> None:
    """It leaves such an answer unread and does not ask again, while increments pile up in its cache. Ours asks again;
    the simulator's own tests show it."""
    barren: list[Barren] = []

    def simulate(exchange: SimulatedExchange) -> Barren:
        barren.append(Barren(exchange))
        return barren[0]

    async with served("huobi", simulate) as venue, watching(client := client_of(venue)) as watchers:
        await until(lambda: len(barren[0].asked) == 2)
        await until(lambda: all(len(client.orderbooks[instrument].cache) >= 20 for instrument in INSTRUMENTS))
        assert len(barren[0].asked) == 2
        assert not any(watcher.updates or watcher.errors for watcher in watchers.values())
