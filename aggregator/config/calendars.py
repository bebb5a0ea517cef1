"""When a local book opens and closes by itself, every day at the same times in Seoul."""

from __future__ import annotations

from calendar import timegm
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from aggregator.domain.local import BookState

SEOUL = ZoneInfo("Asia/Seoul")

SECOND_NS = 10**9


@dataclass(frozen=True, slots=True)
class Calendar:
    """Times of a day in Seoul, `pre_open` before `open` before `close`. Without `pre_open` a book opens without an
    auction. Moments are ns since the Unix epoch."""

    open: time
    close: time
    pre_open: time | None = None

    def state_at(self, at_ns: int) -> BookState:
        """What a book is to be at a moment; a turn counts from its own moment on."""
        now = datetime.fromtimestamp(at_ns // SECOND_NS, SEOUL).time()
        return [BookState.CLOSED, *(state for at, state in self._turns() if at <= now)][-1]

    def next_turn(self, after_ns: int) -> tuple[int, BookState]:
        """The first turn after a moment: when it is, and to what."""
        today = datetime.fromtimestamp(after_ns // SECOND_NS, SEOUL).date()
        days = (today, today + timedelta(days=1))
        turns = ((moment_ns(day, at), state) for day in days for at, state in self._turns())
        return next((at_ns, state) for at_ns, state in turns if at_ns > after_ns)

    def _turns(self) -> Iterator[tuple[time, BookState]]:
        if self.pre_open is not None:
            yield self.pre_open, BookState.PRE_OPEN
        yield self.open, BookState.OPEN
        yield self.close, BookState.CLOSED


def moment_ns(day: date, at: time) -> int:
    """A time of a day in Seoul, in ns since the Unix epoch."""
    return timegm(datetime.combine(day, at, SEOUL).utctimetuple()) * SECOND_NS
