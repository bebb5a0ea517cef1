"""A venue's protocol on a recording of its traffic: as it was, and with frames lost, doubled, in the wrong order and
spoiled. What the whole recording leads to is the truth that the others are held against."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from random import Random

from aggregator.books.venue_book import VenueBook
from aggregator.domain.certificate import Check, Outcome
from aggregator.engine.digest import book_sha256
from aggregator.records.replay import Conversation, Replay
from aggregator.service.captures import BadLine, Kind, Record

STRUCK = 24
"""How many frames of a recording are struck, each in a replay of its own."""

RECORDS_AT_MOST = 4000
"""Of the recording, for those replays."""

Records = Sequence[Record | BadLine]


class RecordedBench:
    """`numbering` is what the venue's file declares, None where its connector knows."""

    def __init__(self, records: Records, converse: Callable[[str], Conversation], numbering: str | None) -> None:
        self.records = list(records)
        self.numbering = numbering
        self.part = self.records[:RECORDS_AT_MOST]
        self._converse = converse

    def played(self, records: Records) -> Replay:
        replay = Replay(self._converse)
        replay.play(records)
        return replay

    def goes_on(self, instrument: str, at: int, truth: Replay) -> bool:
        """Whether the venue spoke of this book again after that frame: only then can a loss be noticed."""
        then = books_of(self.played(self.part[: at + 1])).get(instrument)
        return then is None or books_of(truth)[instrument].counters.updates > then.counters.updates

    def struck(self) -> Iterator[int]:
        """The places of the frames that are struck: not among the first, which bring the books to life."""
        frames = [at for at, record in enumerate(self.part) if _is_frame(record)]
        later = frames[len(frames) // 4 : -1]
        yield from sorted(Random("struck").sample(later, min(STRUCK, len(later))))


def books_of(replay: Replay) -> dict[str, VenueBook]:
    return {book.listing.instrument.name: book for book in replay.market}


def differs(replay: Replay, truth: Replay, noticed: Collection[str]) -> str | None:
    """A live book that is not what the whole recording leads to, besides those of which something was noticed."""
    right = {name: book_sha256(book) for name, book in books_of(truth).items()}
    for name, book in books_of(replay).items():
        if book.is_live and name in right and name not in noticed and book_sha256(book) != right[name]:
            return name
    return None


def _troubles(book: VenueBook) -> tuple[int, ...]:
    return (book.counters.gaps, book.counters.crossed, book.counters.resyncs)


class _Wrong(Exception):
    """What was seen."""


class _NotExercised(Exception):
    """Why this cannot be tried."""


def recorded_trials(bench: RecordedBench) -> Iterator[Check]:
    """Every check, one after the other."""
    for name, done, expected, run in TRIALS:
        outcome = Outcome.FAILED
        try:
            seen, outcome = run(bench), Outcome.PASSED
        except _NotExercised as why:
            seen, outcome = str(why), Outcome.NOT_EXERCISED
        except _Wrong as wrong:
            seen = str(wrong)
        yield Check(name, done, expected, outcome, seen)


def _whole(bench: RecordedBench) -> str:
    replay = bench.played(bench.records)
    if replay.fault_count:
        first = replay.faults[0]
        raise _Wrong(f"{replay.fault_count} frames were not understood; line {first.line}: {first.error}")
    books = books_of(replay)
    if not books:
        raise _Wrong("the recording brought no book to life")
    for name, book in books.items():
        if not book.is_live:
            raise _Wrong(f"{name} is {book.health} at the end: {book.reason}")
        if book.counters.crossed:
            raise _Wrong(f"{name} was crossed {book.counters.crossed} times")
    updates = sum(book.counters.updates for book in books.values())
    return f"{replay.frames} frames, {updates} updates, {len(books)} books live at the end"


def _lost(bench: RecordedBench) -> str:
    if bench.numbering == "none":
        raise _NotExercised("its file says `numbering: none`: whoever routes there cannot know of a lost change")
    truth, noticed = bench.played(bench.part), 0
    known = {name: _troubles(book) for name, book in books_of(truth).items()}
    for at in bench.struck():
        replay = bench.played([*bench.part[:at], *bench.part[at + 1 :]])
        told = {name for name, book in books_of(replay).items() if _troubles(book) != known.get(name)}
        noticed += bool(told) or any(not book.is_live for book in replay.market)
        wrong = differs(replay, truth, told)
        if wrong is not None and bench.goes_on(wrong, at, truth):
            raise _Wrong(f"without line {at + 2} of the recording {wrong} is live and wrong: the gap is ignored")
    return f"{STRUCK} frames lost, one at a time: {noticed} noticed, none left a live book wrong"


def _doubled(bench: RecordedBench) -> str:
    truth = bench.played(bench.part)
    twice = [one for record in bench.part for one in ((record, record) if _is_frame(record) else (record,))]
    wrong = differs(bench.played(twice), truth, set())
    if wrong is not None:
        raise _Wrong(f"with every frame twice {wrong} ends live and wrong")
    return "every frame twice: the same books"


def _swapped(bench: RecordedBench) -> str:
    truth = bench.played(bench.part)
    for at in bench.struck():
        records = [*bench.part[:at], bench.part[at + 1], bench.part[at], *bench.part[at + 2 :]]
        replay = bench.played(records)
        wrong = differs(replay, truth, {name for name, book in books_of(replay).items() if book.counters.gaps})
        if wrong is not None:
            raise _Wrong(f"with lines {at + 2} and {at + 3} the other way round {wrong} ends live and wrong")
    return f"{STRUCK} pairs of frames the other way round: right, or not live"


def _spoiled(bench: RecordedBench) -> str:
    for at in bench.struck():
        record = bench.part[at]
        assert isinstance(record, Record)
        noise: str | bytes = b"\x00\x01noise" if isinstance(record.payload, bytes) else '{"noise":['
        records = [*bench.part[:at], record._replace(payload=noise), *bench.part[at + 1 :]]
        replay = bench.played(records)
        if not replay.fault_count:
            raise _Wrong(f"noise in place of line {at + 2} was taken for a message")
    return f"{STRUCK} frames of noise: counted, and nothing else"


TRIALS: tuple[tuple[str, str, str, Callable[[RecordedBench], str]], ...] = (
    ("recording", "plays the whole recording", "all understood, live, never crossed", _whole),
    ("recorded gap", "plays it without one of its frames", "noticed, or of no consequence", _lost),
    ("recorded twice", "plays it with every frame twice", "the same books", _doubled),
    ("recorded order", "plays it with frames the other way round", "right, or not live", _swapped),
    ("recorded noise", "plays it with a frame of noise", "counted, and nothing else", _spoiled),
)


def _is_frame(record: Record | BadLine) -> bool:
    return isinstance(record, Record) and record.kind is Kind.RECEIVED
