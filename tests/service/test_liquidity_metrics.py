"""What the metrics of liquidity say, beside what the books hold."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from aggregator.books.depth import REACHES_BPS
from aggregator.domain.book import Levels
from aggregator.domain.events import BookLost, BookSnapshot, ListingsRead
from aggregator.domain.instrument import Instrument, Listing
from aggregator.engine.engine import Engine
from aggregator.service.liquidity_metrics import LiquidityCollector
from aggregator.service.metrics import registry

BTC = Instrument.of("BTC", "USDT")


def scraped(engine: Engine) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in registry(LiquidityCollector(engine, lambda: {"BTC/KRW": 12.5, "ETH/KRW": None})).collect()
        for sample in family.samples
    }


def side(random: Random, start: int, step: int) -> list[tuple[str, str]]:
    """Up to 3 % away from 20,000, best first."""
    offsets = sorted(random.sample(range(1, 60000), 80))
    return [(f"{start + step * offset / 100:.2f}", f"{random.randrange(1, 500) / 100}") for offset in offsets]


def levels(rows: list[tuple[str, str]]) -> Levels:
    return Levels([BTC.price(price) for price, _ in rows], [BTC.quantity(quantity) for _, quantity in rows])


def test_depth_is_what_a_naive_sum_over_the_books_says() -> None:
    for seed in range(20):
        random, engine = Random(seed), Engine()
        books = {}
        for venue in ("binance", "huobi"):
            books[venue] = side(random, 20_000, -1), side(random, 20_000, 1)
            engine.apply(ListingsRead(venue, 0, [Listing(venue, "BTCUSDT", BTC)]))
            engine.apply(BookSnapshot(venue, BTC.name, 1, 1, levels(books[venue][0]), levels(books[venue][1])))
        told = scraped(engine)
        best_bid = max(Decimal(bids[0][0]) for bids, _ in books.values())
        best_ask = min(Decimal(asks[0][0]) for _, asks in books.values())
        middle = (best_bid + best_ask) / 2
        assert told["aggregator_middle_price", "BTC/USDT"] == float(middle)
        assert abs(told["aggregator_spread_bps", "BTC/USDT"] - float((best_ask - best_bid) / middle * 10_000)) < 1e-9
        for venue, sides in books.items():
            for name, rows in zip(("buy", "sell"), sides, strict=True):
                for bps in REACHES_BPS:
                    near = (
                        Decimal(quantity)
                        for price, quantity in rows
                        if abs(Decimal(price) - middle) * 10_000 <= bps * middle
                    )
                    shown = told["aggregator_depth_base", str(bps), "BTC/USDT", name, venue]
                    assert abs(shown - float(sum(near))) < 1e-9


def test_a_venue_that_is_out_or_hidden_has_no_depth_and_one_side_no_middle() -> None:
    engine = Engine()
    rows = levels([("100", "1")]), levels([("101", "2")])
    for venue in ("binance", "huobi"):
        engine.apply(ListingsRead(venue, 0, [Listing(venue, "BTCUSDT", BTC)]))
        engine.apply(BookSnapshot(venue, BTC.name, 1, 1, *rows))
    engine.market.hidden["huobi"] = "not displayed"
    assert {labels[-1] for labels in scraped(engine) if labels[0] == "aggregator_depth_base"} == {"binance"}
    engine.apply(BookLost("binance", BTC.name, 2, "gone"))
    assert not [labels for labels in scraped(engine) if labels[0] == "aggregator_middle_price"]


def test_the_premium_is_told_where_there_is_one() -> None:
    told = scraped(Engine())
    assert told["aggregator_local_premium_bps", "BTC/KRW"] == 12.5
    assert ("aggregator_local_premium_bps", "ETH/KRW") not in told
