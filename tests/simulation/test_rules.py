"""A venue's rules change while orders go there: they are read on a schedule, counted, and followed from the next plan
on (rows 22 and 23 of the lessons). A market that ends takes no other with it."""

from __future__ import annotations

import pytest

from aggregator.domain.book import Health
from aggregator.domain.order import ParentState
from connectors.machine import CLOCK_EVERY_NS
from tests.simulation.one_venue import MINUTE, MS, SECOND
from tests.simulation.test_day import followed
from tests.simulation.trading_floor import VENUES, TradingFloor

HOUR = 60 * MINUTE


@pytest.mark.parametrize("name", VENUES)
def test_a_new_tick_is_read_and_the_rules_have_a_new_version(name: str) -> None:
    venue = followed(name, listings=("BTC/USDT", "ETH/USDT"))
    venue.start()
    venue.until_live(MINUTE)
    venue.run(3 * SECOND)
    book = venue.engine.market.find("BTC/USDT", name)
    assert book is not None and venue.machine.status(venue.now_ns).rules_read_ns
    before, version = book.listing, book.rules_version
    tick = before.instrument.show_price(before.tick * 10)  # Gate.io and HTX tell decimals, not steps
    venue.lane.switch_on("change_tick", symbol=before.symbol, tick=tick)
    venue.run(HOUR // 2)
    assert book.listing == before
    venue.run(HOUR // 2 + MINUTE)
    assert before.instrument.show_price(book.listing.tick) == tick
    assert book.rules_version == version + 1 and book.rules_since_ns > 0
    change = venue.rule_changes[-1]
    assert (change.instrument, change.version, change.tradable) == ("BTC/USDT", book.rules_version, True)
    assert change.what == f"tick {before.instrument.show_price(before.tick)} -> {tick}"
    other = venue.engine.market.find("ETH/USDT", name)
    assert other is not None and other.rules_version == version and other.is_live


@pytest.mark.parametrize("name", VENUES)
def test_a_market_that_ends_is_out_with_its_reason_and_comes_back_when_it_is_traded_again(name: str) -> None:
    venue = followed(name, listings=("BTC/USDT", "ETH/USDT"))
    venue.start()
    venue.until_live(MINUTE)
    book, other = (venue.engine.market.books(instrument)[name] for instrument in ("BTC/USDT", "ETH/USDT"))
    venue.lane.switch_on("delist", symbol=book.listing.symbol)
    venue.run(HOUR + MINUTE)
    assert (book.health, book.listing.tradable) == (Health.STALE, False)
    assert "does not trade it, or lists it no more" in (book.reason or "")
    assert not venue.rule_changes[-1].tradable and "not tradable any more" in venue.rule_changes[-1].what
    assert other.health is Health.LIVE
    venue.lane.switch_off("delist")
    venue.run(HOUR + 2 * MINUTE)
    assert book.listing.tradable and venue.rule_changes[-1].what == "tradable again"
    venue.until_live(3 * MINUTE)
    assert book.health is Health.LIVE


def test_a_list_that_does_not_come_is_asked_for_again_soon_and_harms_nothing() -> None:
    venue = followed("binance", listings=("BTC/USDT",))
    venue.lane.switch_on("http_status", status=503, path="exchangeInfo")
    venue.start()
    venue.until_live(MINUTE)
    assert venue.machine.status(venue.now_ns).rules_read_ns == 0
    venue.run(5 * MINUTE)
    asked = [asked for asked in venue.venue.asked if "exchangeInfo" in asked.target]
    assert 8 <= len(asked) <= 13
    venue.lane.switch_off("http_status")
    venue.run(2 * MINUTE)
    assert venue.machine.status(venue.now_ns).rules_read_ns > 0
    assert all(book.is_live for book in venue.engine.market)


def test_orders_follow_the_new_rules_from_the_next_plan_on() -> None:
    floor = TradingFloor()
    floor.until_ready()
    first = floor.order("c1", "0.3", venues=("binance",))
    floor.until(lambda: not first.is_open)
    exchange = floor.exchanges["binance"]
    tick = exchange.listing("BTCUSDT").tick * 100
    floor.loopback.lanes["binance"].switch_on("change_tick", symbol="BTCUSDT", tick=floor.btc.show_price(tick))
    floor.run(HOUR + MINUTE)
    second = floor.order("c2", "0.3", venues=("binance",))
    floor.until(lambda: not second.is_open)
    assert second.state is ParentState.FILLED
    assert all(child.terms.limit_price % tick == 0 for child in second.children.values())
    floor.finish()
    floor.adds_up()


def test_the_clock_is_still_asked_for_between_two_lists() -> None:
    venue = followed("binance", listings=("BTC/USDT",))
    venue.start()
    venue.run(CLOCK_EVERY_NS * 3 + 500 * MS)
    times = [asked for asked in venue.venue.asked if "time" in asked.target]
    assert 3 <= len(times) <= 5 and venue.machine.status(venue.now_ns + SECOND).clock_offset_ns is not None
