"""Where rates between assets come from. Rates are on NET_DECIMALS, ratios on bps, times in ns since the Unix epoch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Peg:
    """A rate further than `band_bps` from `reference` is not believed: one of the two assets has lost its peg."""

    reference: int
    band_bps: int


@dataclass(frozen=True, slots=True)
class StatedRate:
    """What one `base` is worth in `quote`, as somebody stated it. `as_of_ns` None: it holds at any time."""

    source: str
    base: str
    quote: str
    value: int
    as_of_ns: int | None = None
    max_age_ns: int = 0
    peg: Peg | None = None


@dataclass(frozen=True, slots=True)
class BookRate:
    """What one `base` can be sold and bought for in `quote` in a venue's book of the two."""

    source: str
    base: str
    quote: str
    venue: str
    max_age_ns: int
    peg: Peg | None = None

    @property
    def instrument(self) -> str:
        return f"{self.base}/{self.quote}"


RateSource = StatedRate | BookRate
