"""A side's levels by way of Python's own JSON and decimals, number by number."""

import json
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from aggregator.domain.book import Levels
from aggregator.domain.instrument import Instrument
from aggregator.domain.numbers import LIMIT, MAX_TEXT, POWERS

NUMBER = set("0123456789.eE+-")


class Malformed(Exception):
    """It is no array of such levels."""


def naive_levels(text: bytes, instrument: Instrument, columns: int) -> Levels:
    """Raises Malformed. Numbers stay text until they are decimals, whether quoted or bare."""
    try:
        rows = json.loads(text.decode(), parse_float=str, parse_int=str, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise Malformed from None
    if not isinstance(rows, list) or b"\\" in text:
        raise Malformed
    levels = Levels([], [])
    for row in rows:
        if not isinstance(row, list) or len(row) != columns or not all(_is_text_of_a_number(cell) for cell in row):
            raise Malformed
        levels.prices.append(_on_scale(row[0], instrument.price_decimals))
        levels.quantities.append(_on_scale(row[1], instrument.quantity_decimals))
    if 0 in levels.prices:
        raise Malformed
    return levels


def _is_text_of_a_number(cell: object) -> bool:
    return isinstance(cell, str) and set(cell) <= NUMBER


def _on_scale(text: str, decimals: int) -> int:
    if len(text) > MAX_TEXT or text.startswith(("+", "-")):
        raise Malformed
    try:
        value = Fraction(Decimal(text)) * POWERS[decimals]
    except InvalidOperation:
        raise Malformed from None
    if value.denominator != 1 or value >= LIMIT:
        raise Malformed
    return value.numerator


def _refuse(constant: str) -> str:
    raise ValueError(constant)
