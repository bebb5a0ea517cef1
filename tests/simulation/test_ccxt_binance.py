"""ccxt's own client, unmodified and pointed at the simulated Binance by addresses and options alone."""

from typing import Any

from connectors.binance.simulator import simulator
from tests.simulation.on_sockets import INSTRUMENTS, Served, ccxt_pro, served, stopped, theirs, true, until, watching

SYMBOLS = ("BTCUSDT", "ETHUSDT")


def client_of(venue: Served) -> Any:
    """It takes a url for that of the spot market by the word `stream` before an @."""
    options = {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False, "fetchMargins": False}
    client = ccxt_pro().binance({"options": options})
    addresses = client.urls["api"]
    for name, url in addresses.items():
        if isinstance(url, str):
            addresses[name] = f"http://{venue.host}/api/v3"
    addresses["ws"]["spot"] = f"ws://stream@{venue.host}/ws"
    addresses["ws"]["ws-api"]["spot"] = f"ws://{venue.host}/ws-api/v3"
    return client


async def test_ccxt_reads_the_market_list() -> None:
    async with served("binance", simulator) as venue:
        client = client_of(venue)
        try:
            markets = await client.load_markets()
        finally:
            await client.close()
    assert set(markets) == set(INSTRUMENTS)
    btc = markets["BTC/USDT"]
    assert btc["spot"] is True
    assert btc["active"] is True
    assert (btc["precision"]["price"], btc["precision"]["amount"]) == (0.01, 0.00001)
    assert (btc["limits"]["amount"]["min"], btc["limits"]["cost"]["min"]) == (0.00001, 10)


async def test_ccxt_keeps_the_true_books() -> None:
    async with served("binance", simulator) as venue, watching(client := client_of(venue)) as watchers:
        await until(lambda: all(watcher.updates >= 15 for watcher in watchers.values()))
        await stopped(venue, client, SYMBOLS)
        for instrument, symbol in zip(INSTRUMENTS, SYMBOLS, strict=True):
            assert theirs(client, instrument) == true(venue, symbol)
        assert not any(watcher.errors for watcher in watchers.values())


async def test_ccxt_says_that_there_was_a_gap_and_recovers_when_it_is_called_again() -> None:
    """It raises ChecksumError, though no checksum is meant, and drops the book. The next call subscribes a second time
    on the same connection and fetches another snapshot. Its other book goes on."""
    async with served("binance", simulator) as venue, watching(client := client_of(venue)) as watchers:
        await until(lambda: all(watcher.updates >= 5 for watcher in watchers.values()))
        venue.faults.switch_on("gap", symbol="BTCUSDT")
        btc, eth = (watchers[instrument] for instrument in INSTRUMENTS)
        await until(lambda: bool(btc.errors))
        again = btc.updates
        await until(lambda: btc.updates >= again + 5)
        await stopped(venue, client, SYMBOLS)
        for instrument, symbol in zip(INSTRUMENTS, SYMBOLS, strict=True):
            assert theirs(client, instrument) == true(venue, symbol)
        assert {type(error).__name__ for error in btc.errors} == {"ChecksumError"}
        assert not eth.errors
