"""ccxt's own client, unmodified and pointed at the simulated Gate by addresses and options alone."""

from typing import Any

from aggregator.domain.instrument import Side
from connectors.gateio.simulator import simulator
from tests.simulation.on_sockets import INSTRUMENTS, Served, ccxt_pro, served, stopped, theirs, true, until, watching

SYMBOLS = ("BTC_USDT", "ETH_USDT")
OBU_DEPTH, UPDATES_DEPTH = 50, 100


def client_of(venue: Served, user: str = "") -> Any:
    """The user `gateeu` in the url makes it follow `spot.order_book_update` in place of `spot.obu`."""
    client = ccxt_pro().gate({"options": {"fetchMarkets": {"types": ["spot"]}}})
    addresses = client.urls["api"]
    for access in ("public", "private"):
        addresses[access] = dict.fromkeys(addresses[access], f"http://{venue.host}/api/v4")
    addresses["spot"] = f"ws://{user}{venue.host}/ws/v4/"
    return client


async def test_ccxt_reads_the_market_list() -> None:
    async with served("gateio", simulator) as venue:
        client = client_of(venue)
        try:
            markets = await client.load_markets()
        finally:
            await client.close()
    assert set(markets) == set(INSTRUMENTS)
    btc = markets["BTC/USDT"]
    assert btc["active"] is True
    assert (btc["precision"]["price"], btc["precision"]["amount"]) == (0.1, 0.000001)
    assert (btc["limits"]["amount"]["min"], btc["limits"]["cost"]["min"]) == (0.000001, 1)


async def test_ccxt_keeps_the_true_books_of_obu() -> None:
    async with served("gateio", simulator) as venue, watching(client := client_of(venue)) as watchers:
        await until(lambda: all(watcher.updates >= 40 for watcher in watchers.values()))
        await stopped(venue, client, SYMBOLS)
        for instrument, symbol in zip(INSTRUMENTS, SYMBOLS, strict=True):
            assert theirs(client, instrument) == true(venue, symbol, OBU_DEPTH)
        assert not any(watcher.errors for watcher in watchers.values())


async def test_ccxt_does_not_see_a_gap_in_obu_and_its_book_stays_wrong() -> None:
    """It never looks at where an update begins. What was lost is not noticed, no error is raised, and the best ask that
    was bought away stays in its book: only the venue's next full push would mend it."""
    async with served("gateio", simulator) as venue, watching(client := client_of(venue)) as watchers:
        await until(lambda: all(watcher.updates >= 5 for watcher in watchers.values()))
        await stopped(venue, client, SYMBOLS)
        _, asks = before = theirs(client, "BTC/USDT")
        assert before == true(venue, "BTC_USDT", OBU_DEPTH)
        venue.faults.switch_on("gap", symbol="BTC_USDT")
        take_the_best(venue, Side.BUY)
        await until(lambda: not venue.faults.active())
        take_the_best(venue, Side.SELL)
        await stopped(venue, client, SYMBOLS)
        (true_bids, true_asks), (their_bids, their_asks) = (
            true(venue, "BTC_USDT", OBU_DEPTH),
            theirs(client, "BTC/USDT"),
        )
        assert their_bids == true_bids
        assert their_asks[0] == asks[0]
        assert asks[0] not in true_asks
        assert not any(watcher.errors for watcher in watchers.values())


async def test_ccxt_keeps_the_true_books_of_updates_joined_to_a_snapshot() -> None:
    """It waits for ten updates before it fetches the snapshot, whose depth is that of the call."""
    async with (
        served("gateio", simulator) as venue,
        watching(client := client_of(venue, "gateeu@"), UPDATES_DEPTH) as watchers,
    ):
        await until(lambda: all(watcher.updates >= 10 for watcher in watchers.values()))
        await stopped(venue, client, SYMBOLS)
        for instrument, symbol in zip(INSTRUMENTS, SYMBOLS, strict=True):
            assert theirs(client, instrument, UPDATES_DEPTH) == true(venue, symbol, UPDATES_DEPTH)
        assert not any(watcher.errors for watcher in watchers.values())


async def test_ccxt_says_that_there_was_a_gap_in_updates_and_recovers_when_it_is_called_again() -> None:
    async with (
        served("gateio", simulator) as venue,
        watching(client := client_of(venue, "gateeu@"), UPDATES_DEPTH) as watchers,
    ):
        await until(lambda: all(watcher.updates >= 5 for watcher in watchers.values()))
        venue.faults.switch_on("gap", symbol="BTC_USDT")
        btc, eth = (watchers[instrument] for instrument in INSTRUMENTS)
        await until(lambda: bool(btc.errors))
        again = btc.updates
        await until(lambda: btc.updates >= again + 5)
        await stopped(venue, client, SYMBOLS)
        for instrument, symbol in zip(INSTRUMENTS, SYMBOLS, strict=True):
            assert theirs(client, instrument, UPDATES_DEPTH) == true(venue, symbol, UPDATES_DEPTH)
        assert {type(error).__name__ for error in btc.errors} == {"ChecksumError"}
        assert not eth.errors


def take_the_best(venue: Served, side: Side) -> None:
    """All of it: the level is gone."""
    picture = venue.exchange.book("BTC_USDT", 1)
    resting = picture.asks if side is Side.BUY else picture.bids
    assert venue.exchange.take("BTC_USDT", side, resting.quantities[0], resting.prices[0])
