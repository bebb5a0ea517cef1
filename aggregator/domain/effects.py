"""What the engine wants done, or wants known, in answer to an event."""

from __future__ import annotations

from dataclasses import dataclass

from aggregator.domain.book import Health


@dataclass(frozen=True, slots=True)
class HealthChanged:
    """A book may be believed more, or less, than before. `reason` is None when it is live."""

    venue: str
    instrument: str
    before: Health
    after: Health
    reason: str | None
    at_ns: int


@dataclass(frozen=True, slots=True)
class ResyncWanted:
    """This one book contradicts itself and is to be asked for anew."""

    venue: str
    symbol: str
    reason: str


@dataclass(frozen=True, slots=True)
class VenueRefused:
    """The venue said no to something that was asked of it; `instrument` is None when it named none."""

    venue: str
    instrument: str | None
    reason: str
    at_ns: int


Effect = HealthChanged | ResyncWanted | VenueRefused
"""What may come out of `Engine.apply`."""
