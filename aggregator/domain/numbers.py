"""Exact numbers: a price or a quantity is an integer on a scale of decimals, never a binary float.

A value of `n` on a scale of `d` decimals means `n / 10**d`. Venues write decimals in many ways
(`"0.00010000"`, `1e-05`, `100`); all of them are read from their text, so that no digit is lost.
"""

from __future__ import annotations

import re

from aggregator.domain.errors import NumberRefused

MAX_DECIMALS = 24
"""The finest scale. The finest price that a real market list carried was on 15 decimals."""

LIMIT = 10**48
"""No value on any scale reaches this; what does is not a price or a quantity but noise."""

MAX_TEXT = 64
"""Longer texts are refused unread: no venue writes a number so."""

RATE_DECIMALS = 8
"""Scale of fees and other ratios: 0.1 % is 100_000."""

RATE_ONE: int = 10**RATE_DECIMALS

POWERS: tuple[int, ...] = tuple(10**n for n in range(2 * MAX_DECIMALS + 1))
"""A notional has the decimals of a price and of a quantity together, hence twice."""

_DECIMAL = re.compile(rb"(?=\.?\d)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?", re.ASCII)


def parse_decimal(text: str | bytes, decimals: int) -> int:
    """Read a non-negative decimal as a venue writes it, exactly, as an integer on `decimals`.

    Raises NumberRefused for a sign, NaN, infinity, an empty or overlong text, and for a number that
    has non-zero digits beyond the scale.
    """
    raw = text.encode("utf-8", "replace") if isinstance(text, str) else text
    whole, _, fraction = raw.partition(b".")
    # The common case, in few steps: digits, perhaps a point, digits. `isdigit` shuts out the signs,
    # blanks and underscores that `int` would let pass.
    digits = whole + fraction
    if digits.isdigit() and len(fraction) <= decimals and len(raw) <= MAX_TEXT:
        return int(digits) * POWERS[decimals - len(fraction)]
    return _parse_unusual(raw, decimals)


def _parse_unusual(raw: bytes, decimals: int) -> int:
    """Exponents, and zeros beyond the scale."""
    whole, fraction, exponent = _parts(raw)
    shift = decimals - len(fraction) + exponent
    value = int(whole + fraction)
    if value == 0:
        return 0
    if shift >= 0:
        if shift >= len(POWERS):
            raise NumberRefused(f"{_shown(raw)} is too large for a price or a quantity")
        return value * POWERS[shift]
    unit: int = 10 ** min(-shift, MAX_TEXT)  # no text is longer, so no number has more digits to lose
    value, lost = divmod(value, unit)
    if lost:
        raise NumberRefused(f"{_shown(raw)} is finer than this instrument's {decimals} decimals")
    return value


def _parts(raw: bytes) -> tuple[bytes, bytes, int]:
    """The digits before and after the point, and the exponent."""
    if len(raw) > MAX_TEXT:
        raise NumberRefused(f"a number of {len(raw)} characters; at most {MAX_TEXT} are read")
    match = _DECIMAL.fullmatch(raw)
    if match is None:
        raise NumberRefused(f"{_shown(raw)} is not a non-negative decimal number")
    return match.group(1), match.group(2) or b"", int(match.group(3) or 0)


def parse_rate(text: str) -> int:
    """Read a ratio such as a fee (`0.001` is 0.1 %) on RATE_DECIMALS."""
    return parse_decimal(text, RATE_DECIMALS)


def decimals_of(text: str) -> int:
    """How many decimals the number needs, written without trailing zeros: `"0.0100"` needs 2."""
    whole, fraction, exponent = _parts(text.encode("utf-8", "replace"))
    digits = (whole + fraction).rstrip(b"0")
    trailing = len(whole) + len(fraction) - len(digits)
    return max(0, len(fraction) - exponent - trailing) if digits else 0


def format_decimal(value: int, decimals: int) -> str:
    """Write a value plainly: no exponent, no trailing zeros, `"0"` for zero."""
    if value < 0:
        return f"-{format_decimal(-value, decimals)}"
    if not decimals:
        return str(value)
    digits = str(value).zfill(decimals + 1)
    fraction = digits[-decimals:].rstrip("0")
    return f"{digits[:-decimals]}.{fraction}" if fraction else digits[:-decimals]


def _shown(raw: bytes) -> str:
    return repr(raw[:MAX_TEXT].decode("utf-8", "replace"))
