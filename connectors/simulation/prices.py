"""What things cost in the simulation: one reference price per instrument, which every venue follows in its own way.

A price here is a function of the time and the seed: it is the same whoever asks for it, when, and how often.
"""

from __future__ import annotations

from random import Random

from aggregator.domain.instrument import Instrument
from aggregator.domain.numbers import POWERS, parse_decimal

DOLLARS = {
    "BTC": "60000", "ETH": "3000", "XRP": "0.5", "SOL": "150", "ADA": "0.4",
    "DOGE": "0.1", "TRX": "0.12", "LTC": "80", "LINK": "15", "AVAX": "30",
    "BNB": "500", "BCH": "400", "DOT": "6",
    "USDT": "1", "USDC": "1", "USD": "1", "KRW": "0.0007",
}  # fmt: skip
"""Where prices start. Round, invented figures; an asset that is not here is worth UNKNOWN_ASSET."""

UNKNOWN_ASSET = "10"
DOLLAR_DECIMALS = 12

ONE = 10**12
"""Relative moves are in parts of this."""

KNOT_NS = 250_000_000
"""The reference price is a straight line between two knots."""

OCTAVES = 10
"""Each octave is four times as long as the one before and swings twice as far, as a random walk does: from a quarter
of a second to 18 hours. Their sum never leaves +-2.1 %, so a simulation may run for as long as it likes."""

SWING = 20 * ONE // 1_000_000
"""How far the shortest octave goes to either side."""

_NOISE_BITS = 32
_WORD = 2**64 - 1


def dollars(asset: str) -> int:
    """The value of one `asset` at the start, on DOLLAR_DECIMALS."""
    return parse_decimal(DOLLARS.get(asset, UNKNOWN_ASSET), DOLLAR_DECIMALS)


def starting_price(instrument: Instrument) -> int:
    """On the instrument's scale."""
    return dollars(instrument.base) * POWERS[instrument.price_decimals] // dollars(instrument.quote or "USD")


class ReferencePrice:
    """How far an instrument's price is from where it started, in parts of ONE.

    The sum of octaves of noise, each drawn by hashing the number of its interval: any moment can be asked for
    without walking there. What is kept only saves computing it again.
    """

    def __init__(self, seed: int, name: str) -> None:
        self._key = Random(f"reference price of {name}, seed {seed}").getrandbits(64)
        self._intervals = [(-1, 0, 0)] * OCTAVES
        self._knots = (-2, 0, 0)

    def moved(self, at_ns: int) -> int:
        number, past = divmod(at_ns, KNOT_NS)
        known, start, end = self._knots
        if known != number:
            start = end if known == number - 1 else self._knot(number)
            end = self._knot(number + 1)
            self._knots = number, start, end
        return start + (end - start) * past // KNOT_NS

    def _knot(self, number: int) -> int:
        total = 0
        for octave in range(OCTAVES):
            bits = 2 * octave
            interval = number >> bits
            known, start, end = self._intervals[octave]
            if known != interval:
                start, end = self._noise(octave, interval), self._noise(octave, interval + 1)
                self._intervals[octave] = interval, start, end
            value = start + ((end - start) * (number - (interval << bits)) >> bits)
            total += value * (SWING << octave) >> _NOISE_BITS - 1
        return total

    def _noise(self, octave: int, interval: int) -> int:
        """Uniform in +-2**31: the finishing steps of the splitmix64 generator."""
        word = (self._key + (interval * OCTAVES + octave) * 0x9E3779B97F4A7C15) & _WORD
        word = ((word ^ word >> 30) * 0xBF58476D1CE4E5B9) & _WORD
        word = ((word ^ word >> 27) * 0x94D049BB133111EB) & _WORD
        return ((word ^ word >> 31) >> _NOISE_BITS) - (1 << _NOISE_BITS - 1)


class FairPrice:
    """What an instrument is worth on one venue, on the instrument's scale: the reference price of a moment ago
    (`lag_ns`), a little dearer or cheaper (`basis`, in parts of ONE). Both are the venue's own, for a seed."""

    LONGEST_LAG_NS = 400_000_000
    WIDEST_BASIS = ONE // 10_000

    def __init__(self, instrument: Instrument, venue: str, seed: int) -> None:
        random = Random(f"lag and basis of {venue}, seed {seed}")
        self.lag_ns = self.LONGEST_LAG_NS * random.getrandbits(16) >> 16
        self.basis = (2 * self.WIDEST_BASIS * random.getrandbits(16) >> 16) - self.WIDEST_BASIS
        self._reference = ReferencePrice(seed, instrument.name)
        self._start = starting_price(instrument) * (ONE + self.basis) // ONE

    def at(self, at_ns: int) -> int:
        return self._start * (ONE + self._reference.moved(at_ns - self.lag_ns)) // ONE
