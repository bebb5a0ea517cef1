"""Price levels from a frame's bytes to columns of exact integers.

Venues write levels as JSON arrays of strings or numbers, `[["61837.63","3.78826"], ...]`, sometimes with
a further column. A frame's decoder leaves each side as raw JSON; here it becomes two columns, with neither
an object per level nor a binary float on the way.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw

from aggregator.domain.book import NO_LEVELS, Levels
from aggregator.domain.errors import FrameRefused, NumberRefused
from aggregator.domain.instrument import Instrument, Listing
from aggregator.domain.numbers import LIMIT, POWERS, parse_decimal

NOTHING = Raw(b"[]")
"""What stands for a side that the venue left out."""

_NUMBERS = b"0123456789.+-eE"
_BLANK = b" \t\r\n"
_BLANK_BETWEEN = re.compile(rb"[ \t\r\n]*([\[\],])[ \t\r\n]*")

_DIGITS = b"0123456789"
_DIGITS_AS_ZERO = bytes.maketrans(_DIGITS, b"0" * 10)
LONGEST = 10**24
"""Numbers that are longer than this are read, or refused, one by one."""

_BELOW_ONE, _MARKED = b'"0.', b'"-1'
"""JSON has no integer that starts with 0, so a number below 1 loses its `0.` and becomes a negative one, as no other
is: `0.25` is read as -125, and is 125 - 100."""

_integers = msgspec.json.Decoder(list[int])


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
    if not levels.prices:
        return NO_LEVELS
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

    __slots__ = ("_listing", "_price_end", "_price_unit", "_quantity_end", "_quantity_one", "_quantity_unit")

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._price_end = self._quantity_end = b"?"
        """How numbers end, with all digits as 0: `.00","` and `.00000000"]`. At first like no number."""
        self._price_unit = self._quantity_unit = self._quantity_one = 1
        """What makes them integers on the instrument's scale, and what a quantity of 1 is before that."""

    def read(self, bids: Raw, asks: Raw) -> tuple[Levels, Levels]:
        """Raises as `read_levels` does."""
        bid_text, ask_text = bytes(bids), bytes(asks)
        bid_count = bid_text.count(b"[") - 1
        if bid_text == b"[]":
            text = ask_text
        elif ask_text == b"[]":
            text = bid_text
        else:
            text = bid_text[:-1] + b"," + ask_text[1:]
        numbers = self._integers(text)
        if numbers is None:
            return read_levels(bids, self._listing), read_levels(asks, self._listing)
        prices, unit = numbers[::2], self._price_unit
        if unit != 1:
            prices = [price * unit for price in prices]
        one, unit = self._quantity_one, self._quantity_unit
        quantities = [(number if number >= 0 else -number - one) * unit for number in numbers[1::2]]
        return Levels(prices[:bid_count], quantities[:bid_count]), Levels(prices[bid_count:], quantities[bid_count:])

    def _integers(self, text: bytes) -> list[int] | None:
        """Price and quantity of each level in turn, without their points; None when they are not evenly written.

        Prices below 1 are not read here, so that none of them is 0 and only quantities are ever marked.
        """
        count = text.count(b"[") - 1
        if count < 1 or text.translate(None, _DIGITS) != b"[" + (b'[".","."],' * count)[:-1] + b"]":
            return None
        zeroed = text.translate(_DIGITS_AS_ZERO)
        if zeroed.count(self._price_end) != count or zeroed.count(self._quantity_end) != count:
            self._learn(zeroed)
            if zeroed.count(self._price_end) != count or zeroed.count(self._quantity_end) != count:
                return None
        if b'["0' in text:
            return None
        try:
            numbers = _integers.decode(b"[" + text.replace(_BELOW_ONE, _MARKED).translate(None, b'".[]') + b"]")
        except msgspec.MsgspecError:
            return None  # a number that is no JSON integer, such as `00.5`
        return numbers if max(numbers) < LONGEST else None

    def _learn(self, zeroed: bytes) -> None:
        """Take the first level as the pattern of all."""
        instrument = self._listing.instrument
        price, _, rest = zeroed.partition(b'","')
        quantity = rest.partition(b'"]')[0]
        price_decimals, quantity_decimals = len(price.partition(b".")[2]), len(quantity.partition(b".")[2])
        price_shift = instrument.price_decimals - price_decimals
        quantity_shift = instrument.quantity_decimals - quantity_decimals
        if price_decimals and quantity_decimals and price_shift >= 0 and quantity_shift >= 0:
            self._price_end = b"." + b"0" * price_decimals + b'","'
            self._price_unit = POWERS[price_shift]
            self._quantity_end = b"." + b"0" * quantity_decimals + b'"]'
            self._quantity_unit = POWERS[quantity_shift]
            self._quantity_one = POWERS[quantity_decimals]
