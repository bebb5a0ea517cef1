"""Continuity, written once: three ways in which venues number their updates.

A machine is offered every update, in the order of arrival, and says what it means for the book. Until it
has a snapshot it holds updates back; `splice` then joins them to the snapshot. A gap is a fact, not a
guess: the update offered does not continue the book, so the book is lost with this very update.

The payload of an update is opaque here.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Generic, NamedTuple, TypeVar

HELD_AT_MOST = 4096
"""Updates held back while a snapshot is awaited: minutes of a busy stream. Past that the oldest go, so
the snapshot will turn out too old and is asked for again."""


class Verdict(Enum):
    NEXT = auto()
    """It continues the book: apply it."""
    HELD = auto()
    """A snapshot is awaited; the update is kept for then."""
    OLD = auto()
    """A duplicate, or overtaken: the book has it already."""
    GAP = auto()
    """Something before it was lost. It is held, and so is what follows."""


_NEXT = Verdict.NEXT  # once, as Python 3.11 takes long to find a member of an enumeration


class TooOld(Exception):
    """The snapshot describes a moment before the first update held; a newer one is needed."""


T = TypeVar("T")


class _Update(NamedTuple, Generic[T]):
    previous: int
    last: int
    payload: T


class _Numbered(Generic[T]):
    """What both numbered machines share. `last` is the id that the book is at, None while it has none.

    An update is described by the id it follows and the id it ends at. `joins` decides whether an update
    that follows `previous` continues a book that is at `at`; the book is then at the update's end.
    """

    def __init__(self) -> None:
        self.last: int | None = None
        self._held: list[_Update[T]] = []
        self._failed_splices = 0

    def joins(self, previous: int, at: int) -> bool:
        raise NotImplementedError

    def joins_snapshot(self, previous: int, at: int) -> bool:
        return self.joins(previous, at)

    @property
    def is_synchronised(self) -> bool:
        return self.last is not None

    @property
    def holds_updates(self) -> bool:
        return bool(self._held)

    def offer(self, previous: int, last: int, payload: T) -> Verdict:
        if self.last is None:
            self._hold(_Update(previous, last, payload))
            return Verdict.HELD
        if last <= self.last:
            # From the id that the book is at to that same id: nothing was lost, and nothing is new but the time.
            return Verdict.NEXT if previous == last == self.last else Verdict.OLD
        if not self.joins(previous, self.last) and self.last >= 0:
            self.lose()
            self._hold(_Update(previous, last, payload))
            return Verdict.GAP
        self.last = last
        return _NEXT

    def splice(self, snapshot_id: int) -> list[T]:
        """Start from a snapshot taken outside the stream; returns the held updates to apply after it.

        Raises TooOld when the updates held do not reach back to it. A negative id is a book that has
        never changed: it starts with whatever update comes first.
        """
        held = sorted(self._held, key=lambda update: update.last)
        if snapshot_id < 0 and held:
            snapshot_id = held[0].previous
        at, joined = snapshot_id, list[T]()
        for update in held:
            if update.last <= at:
                continue
            joins = self.joins(update.previous, at) if joined else self.joins_snapshot(update.previous, at)
            if not joins:
                self._failed_splices += 1
                self._held = held
                raise TooOld
            at = update.last
            joined.append(update.payload)
        self.restart(at)
        return joined

    def restart(self, snapshot_id: int) -> None:
        """Start from a snapshot that came in the stream: what follows it continues it. After a negative id that is
        whatever update comes first."""
        self.last = snapshot_id
        self._held = []
        self._failed_splices = 0

    def lose(self) -> None:
        """Forget the book; hold updates until the next snapshot."""
        self.last = None
        self._held = []

    def _hold(self, update: _Update[T]) -> None:
        if len(self._held) == HELD_AT_MOST:
            del self._held[: HELD_AT_MOST // 2]
        self._held.append(update)


class UpdateRange(_Numbered[T]):
    """Each update carries the range of ids that it covers (Binance, Gate.io): the next one must begin at or
    before the id after ours. `previous` is the id before the range; ranges may overlap what is known,
    since quantities are absolute."""

    def joins(self, previous: int, at: int) -> bool:
        return previous <= at


class PreviousId(_Numbered[T]):
    """Each update names the update before it (HTX, Crypto.com). Ids jump, so only equality proves anything.

    A snapshot that falls inside an update can never be joined strictly. After two strict failures the
    update may straddle it, which is as safe, quantities being absolute.
    """

    STRICT_SPLICES = 2

    def joins(self, previous: int, at: int) -> bool:
        return previous == at

    def joins_snapshot(self, previous: int, at: int) -> bool:
        return previous == at or (previous < at and self._failed_splices >= self.STRICT_SPLICES)


class SnapshotOnly:
    """Every message is the whole book. Only order matters: a picture older than the one shown is dropped."""

    def __init__(self) -> None:
        self.last: int | None = None

    def offer(self, order: int) -> Verdict:
        """`order` is the venue's version or time of the picture; the same again still counts as fresh."""
        if self.last is not None and order < self.last:
            return Verdict.OLD
        self.last = order
        return Verdict.NEXT

    def lose(self) -> None:
        self.last = None
