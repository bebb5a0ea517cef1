"""A book's fingerprint depends on its levels, and on nothing else."""

import hashlib

from aggregator.books.venue_book import VenueBook
from aggregator.domain.events import BookDelta, BookLost, BookSnapshot
from aggregator.domain.instrument import Instrument
from aggregator.engine.digest import book_sha256, orders_sha256
from tests.twins.listings import BTC, levels, listing


def told(instrument: Instrument = BTC, venue: str = "binance") -> VenueBook:
    bids = {instrument.price("99.50"): instrument.quantity("1.250"), instrument.price("98"): instrument.quantity("3")}
    asks = {instrument.price("100"): instrument.quantity("0.001")}
    book = VenueBook(listing(venue, instrument=instrument))
    book.apply(BookSnapshot(venue, instrument.name, 0, 1, levels(bids), levels(asks)))
    return book


def test_it_is_over_plain_lines_best_level_first() -> None:
    lines = "b|99.5|1.25\nb|98|3\na|100|0.001\n"
    assert book_sha256(told()) == hashlib.sha256(lines.encode()).hexdigest()


def test_it_does_not_depend_on_the_scale_the_venue_or_the_way_that_led_there() -> None:
    book = told()
    book.apply(BookDelta("binance", "BTC/USDT", 5, 5, levels({9_900: 7}), levels({})))
    assert book_sha256(book) != book_sha256(told())
    book.apply(BookDelta("binance", "BTC/USDT", 6, 6, levels({9_900: 0}), levels({})))
    book.apply(BookLost("binance", "BTC/USDT", 7, "a gap"))
    assert book_sha256(book) == book_sha256(told()) == book_sha256(told(BTC.widened(12, 12), "huobi"))


def test_a_state_documents_is_over_json_with_sorted_keys_and_nothing_between() -> None:
    document = {"open": {"b": {"filled": "0.5"}, "a": [1, None, True]}, "halt_reason": "점검"}
    text = '{"halt_reason":"점검","open":{"a":[1,null,true],"b":{"filled":"0.5"}}}'
    assert orders_sha256(document) == hashlib.sha256(text.encode()).hexdigest()
    assert orders_sha256({**document, "halt_reason": ""}) != orders_sha256(document)
