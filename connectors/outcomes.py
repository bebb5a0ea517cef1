"""What is told of an errand when the venue itself says nothing of it. Pure."""

from __future__ import annotations

from aggregator.domain.events import FrameRejected, Refused
from aggregator.domain.lifecycle import Word
from aggregator.domain.order_events import About, ExecutionReport, VenueOrderEvent
from connectors.trading import Errand, Purpose

AccountEvent = VenueOrderEvent | FrameRejected | Refused

ABOUT = {Purpose.PLACE: About.PLACE, Purpose.CANCEL: About.CANCEL, Purpose.ORDER: About.ASK}
"""Each of these comes to exactly one report about one child. The others may be tried again."""


def outcome(venue: str, errand: Errand, word: Word, reason: str, now_ns: int) -> list[AccountEvent]:
    """A report where the errand calls for one, or else that it came to nothing."""
    about, terms = ABOUT.get(errand.purpose), errand.terms
    if about is None or terms is None:
        return [Refused(venue, now_ns, f"{named(errand)}: {reason}")]
    return [ExecutionReport(venue, terms.child_id, terms.instrument, now_ns, word, about, reason=reason)]


def never_left(venue: str, errand: Errand, reason: str, now_ns: int) -> list[AccountEvent]:
    """For an errand that was never sent. A question without an answer leaves its order in doubt."""
    word = Word.IN_DOUBT if errand.purpose is Purpose.ORDER else Word.NOT_SENT
    return outcome(venue, errand, word, reason, now_ns)


def is_about(event: AccountEvent, errand: Errand) -> bool:
    """Whether the event is the report that the errand calls for."""
    return (
        isinstance(event, ExecutionReport)
        and errand.terms is not None
        and (event.child_id, event.about) == (errand.terms.child_id, ABOUT.get(errand.purpose))
    )


def named(errand: Errand) -> str:
    """For people."""
    about = errand.terms.child_id if errand.terms is not None else errand.symbol
    return f"{errand.purpose} of {about}" if about else f"{errand.purpose}"
