"""Price levels from a frame's bytes to columns of exact integers.

Venues write levels as JSON arrays of strings or numbers, `[["61837.63","3.78826"], ...]`, sometimes with
a further column. A frame's decoder leaves each side as raw JSON; here it becomes two columns, with neither
an object per level nor a binary float on the way. Levels that are JSON objects come as cells instead, each
the raw JSON of one number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

from msgspec import Raw
from pydantic import TypeAdapter

from aggregator.domain.book import NO_LEVELS, Levels
from aggregator.domain.errors import FrameRefused, NumberRefused
from aggregator.domain.instrument import Instrument, Listing
from aggregator.domain.numbers import LIMIT, POWERS, parse_decimal

NOTHING = Raw(b"[]")
"""What stands for a side that the venue left out."""

_NUMBERS = b"0123456789.+-eE"
_BLANK = b" \t\r\n"
_BLANK_BETWEEN = re.compile(rb"[ \t\r\n]*([\[\],])[ \t\r\n]*")

_DIGITS_AS_ZERO = bytes.maketrans(b"0123456789", b"0" * 10)
MOST_DIGITS = 23
"""Numbers with more digits before the point are read, or refused, one by one."""

_integers: Callable[[bytes], list[int]] = TypeAdapter(list[int]).validator.validate_json
"""A JSON list of quoted integers; these may have leading zeros, as no JSON integer has. In two thirds of the time that
`int` of one after another takes."""

_FIRST_LEVEL = re.compile(rb'"\d+\.(\d+)","\d+\.(\d+)"')

_SHORT = 512
"""Up to this length texts have so few layouts that most were met before; longer ones hardly ever repeat one."""


def read_levels(raw: Raw, listing: Listing, columns: int = 2) -> Levels:
    """Read one side. `columns` is how many values a level has; those past the second are ignored.

    Raises FrameRefused, naming the listing's symbol, when the JSON is not an array of such levels, for
    numbers that are negative, not finite, too long or finer than the instrument's scale, and for a price
    of 0.
    """
    text = bytes(raw)
    if text == b"[]":
        return NO_LEVELS
    try:
        levels = _read_any(text, listing.instrument, columns)
    except NumberRefused as error:
        raise FrameRefused(f"levels of {listing.symbol}: {error}", listing.symbol) from None
    return _checked(levels, listing) if levels.prices else NO_LEVELS


def read_cells(cells: Iterable[tuple[Raw, Raw]], listing: Listing, *, skips_free: bool = False) -> Levels:
    """Read levels of which price and quantity were found one by one. `skips_free` is for venues that write a price of 0
    where there is no level. Raises as `read_levels` does."""
    instrument = listing.instrument
    levels = Levels([], [])
    try:
        for price_text, quantity_text in cells:
            price, quantity = instrument.price(number(price_text)), instrument.quantity(number(quantity_text))
            if price or not skips_free:
                levels.prices.append(price)
                levels.quantities.append(quantity)
    except NumberRefused as error:
        raise FrameRefused(f"levels of {listing.symbol}: {error}", listing.symbol) from None
    return _checked(levels, listing) if levels.prices else NO_LEVELS


def number(raw: Raw) -> bytes:
    """One number, quoted or bare, for the exact parser."""
    text = bytes(raw)
    return text[1:-1] if text[:1] == b'"' else text


def _checked(levels: Levels, listing: Listing) -> Levels:
    if 0 in levels.prices or max(levels.prices) >= LIMIT or max(levels.quantities) >= LIMIT:
        raise FrameRefused(f"levels of {listing.symbol}: a price of 0, or a number too large to be one", listing.symbol)
    return levels


def _read_any(text: bytes, instrument: Instrument, columns: int) -> Levels:
    """Numbers quoted or bare, with any decimals, with exponents: one by one."""
    if text.translate(None, _BLANK) != text:
        text = _BLANK_BETWEEN.sub(rb"\1", text)
    if text == b"[]":
        return NO_LEVELS
    count = text.count(b"[") - 1
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


class EvenLevels:
    """Reads both sides of one book at once, where the venue writes all prices, and all quantities, as quoted numbers
    with equally many decimals.

    Then points, quotes and brackets can be dropped from all of them in a few passes, and a JSON decoder makes the
    integers. That they are so written is checked for every frame; one that is not is read number by number.
    """

    __slots__ = ("_listing",)

    def __init__(self, listing: Listing) -> None:
        self._listing = listing

    def read(self, bids: Raw, asks: Raw) -> tuple[Levels, Levels]:
        """Raises as `read_levels` does."""
        text = b",".join((bids, asks))
        # The layout is the same whatever the digits are, so the one of a short text was mostly met before.
        layout = _layout(text) if len(text) > _SHORT else _known_layout(text.translate(_DIGITS_AS_ZERO))
        columns = _columns(text, layout, self._listing.instrument) if layout is not None else None
        if layout is None or columns is None:
            return read_levels(bids, self._listing), read_levels(asks, self._listing)
        (prices, quantities), middle = columns, layout.bids
        return Levels(prices[:middle], quantities[:middle]), Levels(prices[middle:], quantities[middle:])


class _Layout(NamedTuple):
    """How even levels are laid out: how many of them are bids, the rest being asks."""

    bids: int
    price_decimals: int
    quantity_decimals: int


def _layout(text: bytes) -> _Layout | None:
    """The layout of two sides with a comma between; None unless all of it is even levels."""
    first = _FIRST_LEVEL.search(text)
    if first is None:
        return None
    decimals = len(first[1]), len(first[2])
    sides = _even_sides(*decimals).fullmatch(text)
    return _Layout(sides[1].count(b"[") - 1, *decimals) if sides is not None else None


_known_layout = lru_cache(maxsize=256)(_layout)


@lru_cache(maxsize=64)
def _even_sides(price_decimals: int, quantity_decimals: int) -> re.Pattern[bytes]:
    """Nothing in it backtracks, so that what is no such text is known for it in one pass."""
    number = rb'"\d{1,%d}+\.\d{%d}"'
    level = rb"\[%b,%b\]" % (number % (MOST_DIGITS, price_decimals), number % (MOST_DIGITS, quantity_decimals))
    side = rb"\[(?:%b(?:,%b)*+)?+\]" % (level, level)
    return re.compile(rb"(%b),%b" % (side, side))


def _columns(text: bytes, layout: _Layout, instrument: Instrument) -> tuple[list[int], list[int]] | None:
    """Prices and quantities on the instrument's scale. None when that is too coarse, or when a price is 0."""
    price_shift = instrument.price_decimals - layout.price_decimals
    quantity_shift = instrument.quantity_decimals - layout.quantity_decimals
    if price_shift < 0 or quantity_shift < 0:
        return None
    numbers = _integers(b"[%b]" % text.translate(None, b"[].").strip(b","))
    unit = POWERS[price_shift]
    if price_shift == quantity_shift:
        numbers = [number * unit for number in numbers]
        prices, quantities = numbers[::2], numbers[1::2]
    else:
        prices = [price * unit for price in numbers[::2]]
        unit = POWERS[quantity_shift]
        quantities = [quantity * unit for quantity in numbers[1::2]]
    return (prices, quantities) if 0 not in prices else None
