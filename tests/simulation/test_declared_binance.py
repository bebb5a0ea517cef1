"""Binance described in a file keeps the books of the simulated venue, through the same faults as the one in Python."""

import pytest

from aggregator.config.venues import load_venue
from aggregator.domain.events import BookLost, Trade
from connectors.binance.simulator import BinanceSimulator
from connectors.contract import MarketData
from connectors.declarative import MarketData as Declared
from tests.paths import REPOSITORY
from tests.simulation import broken_feeds
from tests.simulation.one_venue import SECOND, OneVenue


def declared(_channel: str | None = None) -> MarketData:
    declaration = load_venue(REPOSITORY / "tests" / "connectors" / "declared" / "binance.yaml").declared
    assert declaration is not None
    return Declared(declaration)


def binance(seed: int = 1) -> OneVenue:
    venue = OneVenue("binance", BinanceSimulator, market_data=declared, seed=seed)
    venue.start()
    venue.run(5 * SECOND)
    return venue


def test_its_books_are_true_at_every_change() -> None:
    venue = binance()
    since_ns = venue.now_ns
    venue.run(20 * SECOND)
    venue.settle()
    assert venue.compared > 100
    assert venue.told(Trade, since_ns)
    assert not venue.told(BookLost, since_ns)


@pytest.mark.parametrize("fault", ["gap", "reorder"])
def test_a_gap_costs_one_book_its_liveness_and_no_other(fault: str) -> None:
    broken_feeds.lost_by_a_gap_and_found_again(binance(), fault)


@pytest.mark.parametrize("fault", ["garbage", "corrupt"])
def test_what_means_nothing_is_rejected(fault: str) -> None:
    broken_feeds.rejects_what_means_nothing(binance(), fault)


def test_failing_snapshots_are_borne_with() -> None:
    broken_feeds.bears_with_failing_snapshots(binance(), "/api/v3/depth")


def test_a_refusal_by_rate_is_obeyed() -> None:
    broken_feeds.obeys_a_refusal_by_rate(binance(), "/api/v3/depth", 429, 10)


def test_a_lost_connection_costs_its_books_and_comes_back() -> None:
    broken_feeds.lost_with_the_connection(binance())


def test_a_delisted_market_harms_no_other() -> None:
    broken_feeds.a_delisted_market_harms_no_other(binance())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_it_survives_anything(seed: int) -> None:
    broken_feeds.survives_anything(binance(seed), seed)
