"""ccxt's own client, unmodified and pointed at the simulated Crypto.com by addresses alone."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from connectors.cryptocom.simulator import CryptocomSimulator
from connectors.cryptocom.simulator_channels import update_id_of
from connectors.simulation.exchange import SimulatedExchange
from tests.simulation.on_sockets import INSTRUMENTS, Served, ccxt_pro, served, theirs, true, until, watching

SYMBOLS = ("BTC_USDT", "ETH_USDT")
DEPTH = 50


def simulator(exchange: SimulatedExchange) -> CryptocomSimulator:
    """A venue that is generous from the first moment on. The usual one grants a new connection only what is left of the
    calendar second; ccxt's client does not wait for that, and as it numbers no request it never learns of the
    refusal."""
    return CryptocomSimulator(exchange, requests_per_second=1_000_000)


def client_of(venue: Served) -> Any:
    client = ccxt_pro().cryptocom()
    client.urls["api"]["v1"] = f"http://{venue.host}/exchange/v1"
    client.urls["api"]["ws"]["public"] = f"ws://{venue.host}/exchange/v1/market"
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
    async with served("cryptocom", simulator) as venue:
        client = client_of(venue)
        try:
            markets = await client.load_markets()
        finally:
            await client.close()
        assert set(markets) == set(INSTRUMENTS)
        for instrument, symbol in zip(INSTRUMENTS, SYMBOLS, strict=True):
            listing, market = venue.exchange.listing(symbol), markets[instrument]
            assert market["active"] is True
            assert market["precision"]["price"] == float(listing.instrument.show_price(listing.tick))
            assert market["precision"]["amount"] == float(listing.instrument.show_quantity(listing.lot))


async def test_ccxt_keeps_the_true_books() -> None:
    """It spells the options of a book in camel case, and numbers no request."""
    async with served("cryptocom", simulator) as venue, watching(client := client_of(venue)) as watchers:
        await until(lambda: all(watcher.updates >= 40 for watcher in watchers.values()))
        await stopped(venue, client)
        for instrument, symbol in zip(INSTRUMENTS, SYMBOLS, strict=True):
            assert theirs(client, instrument) == true(venue, symbol, DEPTH)
        assert not any(watcher.errors for watcher in watchers.values())


async def test_ccxts_reader_stops_at_a_gap_and_a_fresh_client_has_the_true_books() -> None:
    """It notices the gap, but raises where nothing catches it: its socket is read no more, so both of its books stand
    still, and no caller is told. Repair in place, as ours, cannot be witnessed with it; a fresh start can."""
    async with served("cryptocom", simulator) as venue:
        async with watching(client := client_of(venue)) as watchers:
            await until(lambda: all(watcher.updates >= 10 for watcher in watchers.values()))
            with loop_errors() as errors:
                venue.faults.switch_on("gap", symbol="BTC_USDT")
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
