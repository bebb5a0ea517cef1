"""What Binance's statuses and error codes mean in our words."""

from __future__ import annotations

from typing import NamedTuple

from aggregator.domain.errors import FrameRefused
from aggregator.domain.lifecycle import Word
from connectors.trading import Purpose

STATUSES = {
    "NEW": Word.WORKING,
    "PARTIALLY_FILLED": Word.WORKING,
    "PENDING_CANCEL": Word.WORKING,
    "PENDING_NEW": Word.RECEIVED,
    "FILLED": Word.ENDED,
    "CANCELED": Word.ENDED,
    "EXPIRED": Word.ENDED,
    "EXPIRED_IN_MATCH": Word.ENDED,
    "REJECTED": Word.REJECTED,
}

TURNED_AWAY_BY_HTTP = frozenset({403, 418, 429})
"""The firewall, a ban, a rate limit: what stands before the venue has not let it pass."""

TURNED_AWAY = frozenset({-1003, -1008, -1015, -1016, -1034})
"""Too many requests, overloaded, too many orders, shutting down, too many connections."""

REFUSED = frozenset({
    *(-1002, -1010, -1013, -1014, -1020, -1021, -1022),
    *range(-1199, -1099),
    *(-2010, -2011, -2013, -2014, -2015, -2016, -2026, -2039),
})  # fmt: skip
"""The request itself was looked at, and is wrong or not wanted. All of -11xx is about parameters."""

NO_SUCH_ORDER, ARCHIVED = -2013, -2026

REFUSED_BY_MATCHING = frozenset({-1010, -2010})
DUPLICATE = "Duplicate order sent"

CLOCK, KEY = -1021, frozenset({-1002, -1022, -2014, -2015})


class Complaint(NamedTuple):
    """An answer that is no success. `code` is None where the venue's own error is missing."""

    http_status: int
    code: int | None
    text: str

    @property
    def raw(self) -> str:
        return f"HTTP {self.http_status}" if self.code is None else str(self.code)

    @property
    def reason(self) -> str:
        told = f"{self.raw} {self.text}".strip()
        if self.code == CLOCK:
            return f"our clock and the venue's are too far apart, or the request came too late: {told}"
        if self.code in KEY:
            return f"the venue does not accept the key, its permissions or the signature: {told}"
        return told


def word_of(status: str) -> Word:
    """Raises FrameRefused for a status that the venue does not document."""
    word = STATUSES.get(status)
    if word is None:
        raise FrameRefused(f"an order's status is {status[:40]!r}; known are {', '.join(STATUSES)}")
    return word


def word_of_complaint(purpose: Purpose, complaint: Complaint) -> Word:
    """What a complaint about placing, canceling or asking for an order says of that order.

    A complaint about a question says nothing of the order, unless that there is none. Whatever is not documented is in
    doubt: a 5xx, and the codes -1000, -1001, -1006 and -1007, are documented to be.
    """
    code = complaint.code
    if purpose is Purpose.ORDER:
        return {NO_SUCH_ORDER: Word.MISSING, ARCHIVED: Word.ENDED}.get(code or 0, Word.IN_DOUBT)
    if code in TURNED_AWAY:
        return Word.NOT_SENT
    if code is None or code not in REFUSED:
        return Word.NOT_SENT if complaint.http_status in TURNED_AWAY_BY_HTTP else Word.IN_DOUBT
    if purpose is Purpose.PLACE and code in REFUSED_BY_MATCHING and DUPLICATE in complaint.text:
        return Word.IN_DOUBT  # an earlier sending of the same may have got through
    return Word.REJECTED
