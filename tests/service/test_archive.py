"""What is recorded of the market is read back to the last digit; what cannot be written holds nothing up."""

import threading
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from aggregator.books.venue_book import Freshness
from aggregator.domain.book import Levels
from aggregator.domain.effects import Effect, HealthChanged
from aggregator.domain.events import BookLost, BookSnapshot, ListingsRead, Trade
from aggregator.domain.instrument import Instrument, Listing, Side
from aggregator.engine.engine import Engine
from aggregator.engine.premiums import Premium
from aggregator.records import archive as records
from aggregator.service.archive import Archive
from aggregator.service.clock import NS
from aggregator.service.dispatcher import Refreshed
from aggregator.service.recorder import Recorder, Rotation
from aggregator.service.sampling import Sampler

BTC = Instrument.of("BTC", "USDT")
DAY_NS = 86_400 * NS
NOON_NS = 20_000 * DAY_NS + DAY_NS // 2
FOREVER_NS = 10_000 * DAY_NS

Rows = list[tuple[str, str]]


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


class Market:
    """An engine with books, a sampler over it, and the archive that it fills."""

    def __init__(self, folder: Path, levels: int = 3, premiums: tuple[Premium, ...] = ()) -> None:
        self.now_ns = NOON_NS
        self.engine = Engine({"alpha": Freshness()})
        self.archive = Archive(folder, FOREVER_NS, lambda: self.now_ns)
        market, put = self.engine.market, self.archive.put
        self.sampler = Sampler(market, put, lambda _: premiums, lambda: self.now_ns, 10**9, levels)

    def book(self, venue: str, bids: Rows, asks: Rows) -> None:
        self.engine.apply(ListingsRead(venue, self.now_ns, [Listing(venue, "BTCUSDT", BTC)]))
        bid, ask = (
            Levels([BTC.price(p) for p, _ in rows], [BTC.quantity(q) for _, q in rows]) for rows in (bids, asks)
        )
        self.tell(self.engine.apply(BookSnapshot(venue, BTC.name, self.now_ns, self.now_ns, bid, ask)))

    def tell(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, HealthChanged):
                self.sampler.note(effect)


def side(random: Random, middle: int, step: int) -> Rows:
    """Forty levels, best first."""
    prices = (f"{middle + step * (1 + level)}.{random.randrange(10, 99)}" for level in range(40))
    return [(price, f"0.{random.randrange(1, 999)}") for price in prices]


def test_a_sample_has_each_venues_depth_and_all_of_them_together(tmp_path: Path) -> None:
    market = Market(tmp_path)
    with market.archive:
        market.book("alpha", [("100", "1"), ("99.95", "2"), ("98", "3"), ("97", "9")], [("100.1", "0.5")])
        market.book("beta", [("99.9", "0.123456789012345678")], [("100.05", "1.5"), ("103", "7")])
        market.sampler.sample(NOON_NS + 5)
    depth = records.read(tmp_path, "depth")
    alpha = depth[(depth.venue == "alpha") & (depth.side == "bid")].sort_values("level")
    assert list(zip(alpha.price, alpha.quantity, strict=True)) == [("100", "1"), ("99.95", "2"), ("98", "3")]
    together = depth[(depth.venue == "") & (depth.side == "ask")].sort_values("level")
    assert list(together.price) == ["100.05", "100.1", "103"] and set(depth.cause) == {"schedule"}
    assert set(depth.at_ns) == {NOON_NS + 5}
    liquidity = records.read(tmp_path, "liquidity").set_index("venue")
    # The middle is 100.025: 99.925 is 10 bps below it, 99.525 is 50.
    assert (liquidity.loc["alpha", "bids_10_bps"], liquidity.loc["alpha", "bids_50_bps"]) == ("3", "3")
    assert (liquidity.loc["beta", "bids_10_bps"], liquidity.loc["beta", "asks_10_bps"]) == ("0", "1.5")
    assert liquidity.loc["", "bids_50_bps"] == "3.123456789012345678"
    assert (liquidity.loc["", "bid"], liquidity.loc["", "ask"], liquidity.loc["", "ask_quantity"]) == (
        "100",
        "100.05",
        "1.5",
    )


def test_random_books_come_back_as_they_were(tmp_path: Path) -> None:
    """Against sums made in decimals from the very levels."""
    random, market = Random(1), Market(tmp_path, levels=5)
    told: dict[int, tuple[Rows, Rows]] = {}
    with market.archive:
        for number in range(200):
            market.now_ns = NOON_NS + number
            middle = random.randrange(20_000, 21_000)
            bids, asks = side(random, middle, -1), side(random, middle, 1)
            market.book("alpha", bids, asks)
            market.sampler.sample(market.now_ns)
            told[market.now_ns] = bids, asks
    liquidity = records.read(tmp_path, "liquidity")
    for row in liquidity[liquidity.venue == "alpha"].itertuples():
        bids, asks = told[row.at_ns]
        mid = (Decimal(bids[0][0]) + Decimal(asks[0][0])) / 2
        near = sum((Decimal(q) for p, q in bids if (mid - Decimal(p)) * 1000 <= mid), Decimal(0))
        assert Decimal(row.bids_10_bps) == near
    depth = records.read(tmp_path, "depth")
    assert len(depth) == 200 * 2 * 2 * 5
    best = depth[(depth.venue == "alpha") & (depth.level == 0) & (depth.side == "ask")]
    first_asks = {at_ns: Decimal(asks[0][0]) for at_ns, (_, asks) in told.items()}
    assert {row.at_ns: Decimal(row.price) for row in best.itertuples()} == first_asks


def test_health_trades_premium_and_runs_are_on_record(tmp_path: Path) -> None:
    premium = Premium("BTC/KRW", "market", "1400", "12.5", None)
    market = Market(tmp_path, premiums=(premium,))
    with market.archive:
        market.book("alpha", [("100", "1")], [("101", "1")])
        price, quantity = BTC.price("100.5"), BTC.quantity("2")
        market.sampler.note(Trade("alpha", BTC.name, NOON_NS - 1, NOON_NS, "t1", price, quantity, Side.BUY))
        market.sampler.sample(NOON_NS + 1)
        market.tell(market.engine.apply(BookLost("alpha", BTC.name, NOON_NS + 2, "its socket closed")))
    health = records.read(tmp_path, "health")
    assert list(zip(health.at_ns, health.health, strict=True)) == [
        (NOON_NS, "live"),
        (NOON_NS + 1, "live"),  # the first sample of a day says how all are
        (NOON_NS + 2, "syncing"),
    ]
    assert health.reason.iloc[-1] == "its socket closed"
    (trade,) = records.read(tmp_path, "trades").itertuples()
    assert (trade.price, trade.quantity, trade.taker_side, trade.venue_time_ns) == ("100.5", "2", "buy", NOON_NS - 1)
    (row,) = records.read(tmp_path, "premium").itertuples()
    assert (row.instrument, row.rate, row.premium_bps) == ("BTC/KRW", "1400", "12.5")


def test_busans_own_book_is_recorded_at_every_change(tmp_path: Path) -> None:
    market = Market(tmp_path)
    with market.archive:
        market.book("busan", [("100", "1")], [("101", "1")])
        market.sampler.note(Refreshed(frozenset({BTC.name})))
        market.book("alpha", [("100", "1")], [("101", "1")])
    depth = records.read(tmp_path, "depth")
    assert set(depth.cause) == {"change"} and set(depth.venue) == {"busan"} and len(depth) == 2


def test_a_day_that_is_over_is_one_file_and_one_that_is_too_old_goes(tmp_path: Path) -> None:
    now_ns = NOON_NS
    for offset in (0, 1, 2):
        with Archive(tmp_path, 3 * DAY_NS, lambda: now_ns) as archive:
            archive.put("runs", now_ns, lambda at_ns=now_ns + offset: [(at_ns, "started", None)])  # type: ignore[misc]
    assert len(list((tmp_path / "runs").glob("*/*.parquet"))) == 3
    now_ns += DAY_NS
    with Archive(tmp_path, 3 * DAY_NS, lambda: now_ns) as archive:
        archive.put("runs", now_ns, lambda: [(now_ns, "started", None)])
        until(lambda: not list((tmp_path / "runs").glob(f"{'[0-9]' * 4}-*/{NOON_NS}*.parquet")))
    assert [path.name for path in (tmp_path / "runs").glob("*.parquet")] == ["2024-10-04.parquet"]
    assert list(records.read(tmp_path, "runs").at_ns) == [NOON_NS, NOON_NS + 1, NOON_NS + 2, now_ns]
    assert list(records.read(tmp_path, "runs", "2024-10-04").at_ns) == [NOON_NS, NOON_NS + 1, NOON_NS + 2]
    now_ns += 5 * DAY_NS
    with Archive(tmp_path, 3 * DAY_NS, lambda: now_ns):
        until(lambda: not list((tmp_path / "runs").glob("*.parquet*")) or False)
    with pytest.raises(FileNotFoundError):
        records.read(tmp_path, "runs", "2024-10-04")


def test_of_a_slow_disk_depth_goes_first_and_it_is_told(tmp_path: Path) -> None:
    """The thread is kept from its work, as by a disk that takes its time."""
    gate = threading.Event()

    def slow() -> list[tuple[object, ...]]:
        gate.wait(30)
        return [(NOON_NS, "started", None)]

    with Archive(tmp_path, FOREVER_NS, lambda: NOON_NS, part_every_s=0.05, waiting_at_most=10) as archive:
        archive.put("runs", NOON_NS, slow)
        until(lambda: archive.waiting == 0)
        for number in range(20):
            archive.put("depth", NOON_NS, lambda: [(NOON_NS, "BTC/USDT", "", "schedule", "bid", 0, "1", "1")])
            archive.put("health", NOON_NS + number, lambda at=NOON_NS + number: [(at, "BTC/USDT", "a", "live", None)])  # type: ignore[misc]
        kept = archive.waiting
        assert kept == 10 and archive.dropped["depth"] > archive.dropped["health"] > 0
        gate.set()
    for table in ("depth", "health"):
        assert archive.recorded[table] + archive.dropped[table] == 20
    runs = records.read(tmp_path, "runs")
    assert set(runs.event) == {"started", "dropped"} and "of depth" in "".join(runs.detail.dropna())
    assert len(records.read(tmp_path, "health")) == archive.recorded["health"]


def test_what_cannot_be_written_is_said_and_writing_goes_on_when_it_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file stands where a folder should be: as good as a folder that is read-only, also for root."""
    (tmp_path / "runs").write_text("in the way")
    with Archive(tmp_path, FOREVER_NS, lambda: NOON_NS, part_every_s=0.02) as archive:
        archive.put("runs", NOON_NS, lambda: [(NOON_NS, "started", None)])
        until(lambda: archive.failure is not None)
        assert str(tmp_path / "runs") in (archive.failure or "") and archive.dropped["runs"] >= 1
        archive.put("trades", NOON_NS, lambda: [(NOON_NS, "BTC/USDT", "a", "1", "buy", "1", "1", NOON_NS)])
        until((tmp_path / "trades").exists)
        (tmp_path / "runs").unlink()
        archive.put("runs", NOON_NS, lambda: [(NOON_NS, "stopped", None)])
        until(lambda: archive.failure is None)
    assert "stopped" in list(records.read(tmp_path, "runs").event)
    told = [record.message for record in caplog.records]
    assert any("cannot be written" in text for text in told) and any("written again" in text for text in told)


def test_a_query_sees_every_table_under_its_name_and_a_bad_one_says_why(tmp_path: Path) -> None:
    with Archive(tmp_path, FOREVER_NS, lambda: NOON_NS) as archive:
        archive.put("runs", NOON_NS, lambda: [(NOON_NS, "started", None)])
    assert records.query(tmp_path, "SELECT event FROM runs").event.to_list() == ["started"]
    assert len(records.query(tmp_path, "SELECT * FROM orders JOIN fills USING (instrument)")) == 0
    with pytest.raises(records.QueryRefused, match="nothing_such"):
        records.query(tmp_path, "SELECT nothing_such FROM runs")
    with pytest.raises(ValueError, match="there are orders"):
        records.read(tmp_path, "nothing")


def test_captures_follow_one_another_and_the_oldest_go(tmp_path: Path) -> None:
    rotation = Rotation(tmp_path, every_ns=3600 * NS, kept_ns=DAY_NS)
    with Recorder(rotation, "a test") as recorder:
        for hour in range(72):
            recorder(NOON_NS + hour * 3600 * NS, "alpha", "received", "", f"frame {hour}")
    days = sorted(path.name for path in tmp_path.iterdir())
    assert days == ["2024-10-06", "2024-10-07"] and recorder.recorded == 72
    assert len(list((tmp_path / "2024-10-06").iterdir())) == 24


def test_traffic_is_recorded_again_when_the_disk_is(tmp_path: Path) -> None:
    (tmp_path / "traffic").write_text("in the way")
    with Recorder(Rotation(tmp_path / "traffic", 3600 * NS, DAY_NS), "a test") as recorder:
        recorder(NOON_NS, "alpha", "received", "", "lost")
        until(lambda: recorder.failure is not None)
        (tmp_path / "traffic").unlink()
        recorder(NOON_NS + 1, "alpha", "received", "", "lost too: it is not tried at once")
        recorder(NOON_NS + 31 * NS, "alpha", "received", "", "kept")
        until(lambda: recorder.failure is None)
    assert (recorder.recorded, recorder.dropped) == (1, 2)
