"""Price levels from a frame's bytes to columns of exact integers.

Venues write levels as JSON arrays of strings or numbers, `[["61837.63","3.78826"], ...]`, sometimes with
a further column. A frame's decoder leaves each side as raw JSON; here it becomes two columns in a few
passes over the bytes, with neither an object per level nor a binary float on the way.
"""

from __future__ import annotations

import re

from msgspec import Raw

from aggregator.domain.book import NO_LEVELS, Levels
from aggregator.domain.errors import FrameRefused, NumberRefused
from aggregator.domain.instrument import Instrument, Listing
from aggregator.domain.numbers import LIMIT, MAX_TEXT, POWERS, parse_decimal

NOTHING = Raw(b"[]")
"""What stands for a side that the venue left out."""

_DIGITS = b"0123456789"
_NUMBERS = b"0123456789.+-eE"
_DIGITS_AS_ZERO = bytes.maketrans(_DIGITS, b"0" * 10)
_MANY_DIGITS = b"0" * (MAX_TEXT // 2)
_BLANK = b" \t\r\n"
_BLANK_BETWEEN = re.compile(rb"[ \t\r\n]*([\[\],])[ \t\r\n]*")

_WORTH_A_PASS = 4
"""From this many levels on, passes over the whole text beat reading number by number."""


def read_levels(raw: Raw, listing: Listing, columns: int = 2) -> Levels:
    """Read one side. `columns` is how many values a level has; those past the second are ignored.

    Raises FrameRefused, naming the listing's symbol, when the JSON is not an array of such levels, for
    numbers that are negative, not finite, too long or finer than the instrument's scale, and for a price
    of 0.
    """
    text = bytes(raw)
    instrument = listing.instrument
    if text == b"[]":
        return NO_LEVELS
    count = text.count(b"[") - 1
    try:
        levels = _read_even(text, count, instrument) if count >= _WORTH_A_PASS and columns == 2 else None
        if levels is None:
            levels = _read_any(text, count, instrument, columns)
    except NumberRefused as error:
        raise FrameRefused(f"levels of {listing.symbol}: {error}", listing.symbol) from None
    if not levels.prices:
        return NO_LEVELS
    if 0 in levels.prices or max(levels.prices) >= LIMIT or max(levels.quantities) >= LIMIT:
        raise FrameRefused(f"levels of {listing.symbol}: a price of 0, or a number too large to be one", listing.symbol)
    return levels


def _read_even(text: bytes, count: int, instrument: Instrument) -> Levels | None:
    """Quoted numbers of which all prices, and all quantities, have equally many decimals, as most venues
    write them: then the points can be dropped from all of them at once. None when these are not so, or are so
    long that they may have to be refused."""
    if text.translate(None, _DIGITS) != b"[" + (b'[".","."],' * count)[:-1] + b"]":
        return None
    price_end, quantity_end = text.index(b'"', 3), text.index(b"]")
    price_tail = text[text.index(b".") : price_end + 1].translate(_DIGITS_AS_ZERO)
    quantity_tail = text[text.index(b".", price_end) : quantity_end].translate(_DIGITS_AS_ZERO)
    zeroed = text.translate(_DIGITS_AS_ZERO)
    if zeroed.count(price_tail + b",") != count or zeroed.count(quantity_tail + b"]") != count:
        return None
    if len(price_tail) <= 2 or len(quantity_tail) <= 2 or _MANY_DIGITS in zeroed:
        return None
    price_shift = instrument.price_decimals - (len(price_tail) - 2)
    quantity_shift = instrument.quantity_decimals - (len(quantity_tail) - 2)
    if price_shift < 0 or quantity_shift < 0:
        return None
    numbers = text.translate(None, b'[]".').split(b",")
    price_unit, quantity_unit = POWERS[price_shift], POWERS[quantity_shift]
    try:
        return Levels(
            [int(number) * price_unit for number in numbers[::2]],
            [int(number) * quantity_unit for number in numbers[1::2]],
        )
    except ValueError:
        return None  # a number without digits, or of thousands: it is refused when read one by one


def _read_any(text: bytes, count: int, instrument: Instrument, columns: int) -> Levels:
    """Numbers quoted or bare, with any decimals, with exponents: one by one."""
    if text.translate(None, _BLANK) != text:
        text = _BLANK_BETWEEN.sub(rb"\1", text)
    if text == b"[]":
        return NO_LEVELS
    level = b"[" + b"," * (columns - 1) + b"]"
    shape = text.translate(None, _NUMBERS).replace(b'""', b"")
    if count < 1 or shape != b"[" + b",".join([level] * count) + b"]":
        raise NumberRefused(f"not arrays of {columns} numbers: {text[:60]!r}")
    numbers = text.translate(None, b'[]"').split(b",")
    price_decimals, quantity_decimals = instrument.price_decimals, instrument.quantity_decimals
    return Levels(
        [parse_decimal(number, price_decimals) for number in numbers[::columns]],
        [parse_decimal(number, quantity_decimals) for number in numbers[1::columns]],
    )
