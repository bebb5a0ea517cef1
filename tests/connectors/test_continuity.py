"""A book that is live is the true book, whatever order things come in and whatever is lost on the way."""

from collections.abc import Callable, Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.book import Health
from aggregator.domain.events import BookLost, BookSnapshot
from connectors.books import Book, Numbering
from connectors.sequencing import PreviousId, UpdateRange
from tests.twins.examples import examples
from tests.twins.feed import Feed, Follower, State, Update, apply_all, delta_of, make_feed, shown_state, snapshot_of
from tests.twins.listings import listing

SHORT = 8


class Style:
    """A venue's way of numbering: its feeds, and the machine that follows them."""

    def __init__(self, numbering: Callable[[], Numbering], *, jumps: bool = False, overlaps: bool = False) -> None:
        self._numbering = numbering
        self._jumps = jumps
        self._overlaps = overlaps

    def feed(self, seed: int, count: int = SHORT) -> Feed:
        return make_feed(Random(seed), count, jumps=self._jumps, overlaps=self._overlaps)

    def follower(self, feed: Feed) -> Follower:
        return Follower(feed, self._numbering())

    @property
    def is_strict(self) -> bool:
        return self._jumps


STYLES = {
    "ranges": Style(UpdateRange),
    "overlapping ranges": Style(UpdateRange, overlaps=True),
    "previous ids": Style(PreviousId, jumps=True),
}
EVERY_STYLE = pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)


def ends_right(follower: Follower) -> None:
    """After the feed has ended, the newest snapshot makes any book whole: it can always be had again. A book that is
    live before that has all that was heard; only what was lost at the very end can be missing."""
    newest = follower.feed.ids[-1]
    if not follower.is_live:
        assert follower.find(newest)
    assert follower.is_live
    assert follower.at == newest or follower.heard <= follower.at


def joins(style: Style, update: Update, snapshot_id: int) -> bool:
    if style.is_strict:
        return update.previous == snapshot_id
    return update.previous <= snapshot_id


@EVERY_STYLE
class TestASnapshot:
    """Taken at any moment of the stream, arriving before, after or in the middle of it."""

    def test_of_every_offset_at_every_position_gives_the_true_book_or_none(self, style: Style) -> None:
        for seed in range(2):
            feed = style.feed(seed)
            for snapshot_id in feed.ids:
                for position in range(SHORT + 1):
                    follower = style.follower(feed)
                    follower.hear_all(feed.updates[:position])
                    left = [update for update in feed.updates[:position] if update.last > snapshot_id]
                    found = follower.find(snapshot_id)
                    assert found == (not left or joins(style, left[0], snapshot_id))
                    assert follower.is_live == found
                    if found:
                        assert follower.at == max(snapshot_id, left[-1].last if left else 0)
                    follower.hear_all(feed.updates[position:])
                    ends_right(follower)

    def test_that_can_be_joined_never_leads_to_a_loss_later(self, style: Style) -> None:
        feed = style.feed(seed=7)
        for snapshot_id in (feed.ids[0], *(update.last for update in feed.updates)):
            follower = style.follower(feed)
            follower.find(snapshot_id)
            follower.hear_all(feed.updates)
            assert follower.is_live
            assert follower.at == feed.ids[-1]
            assert follower.shown.counters.gaps == 0

    def test_that_is_too_old_is_followed_by_a_newer_one(self, style: Style) -> None:
        feed = style.feed(seed=5)
        follower = style.follower(feed)
        follower.hear_all(feed.updates[2:5])
        assert not follower.find(feed.ids[0])
        assert follower.shown.health is Health.EMPTY
        assert follower.find(feed.updates[3].last)
        assert follower.at == feed.updates[4].last

    def test_of_a_whole_book_changes_nothing(self, style: Style) -> None:
        feed = style.feed(seed=5)
        follower = style.follower(feed)
        follower.find(feed.ids[0])
        follower.hear_all(feed.updates)
        follower.find(feed.ids[0])
        assert follower.at == feed.ids[-1]

    def test_after_a_loss_is_marked_as_its_repair(self, style: Style) -> None:
        feed = style.feed(seed=5)
        follower = style.follower(feed)
        follower.find(feed.ids[0])
        assert follower.shown.counters.resyncs == 0
        follower.hear(feed.updates[4])
        assert (follower.shown.health, follower.shown.counters.gaps) == (Health.SYNCING, 1)
        assert follower.find(feed.updates[4].last)
        assert follower.shown.counters.resyncs == 1


def faulty(updates: list[Update]) -> Iterator[tuple[str, int, list[Update]]]:
    """One update lost, doubled, late by one or repeated at the end, at every position."""
    for at in range(len(updates)):
        yield "lost", at, [*updates[:at], *updates[at + 1 :]]
        yield "doubled", at, [*updates[: at + 1], *updates[at:]]
        yield "repeated", at, [*updates, updates[at]]
        if at + 1 < len(updates):
            yield "swapped", at, [*updates[:at], updates[at + 1], updates[at], *updates[at + 2 :]]


@EVERY_STYLE
class TestOneFault:
    def test_at_any_position_with_a_snapshot_at_any_other_is_noticed_or_harmless(self, style: Style) -> None:
        """`Follower.check` runs after every event: live means true, and up to date with all that was heard."""
        feed = style.feed(seed=11)
        for _, _, stream in faulty(feed.updates):
            for snapshot_id in feed.ids:
                for position in range(len(stream) + 1):
                    follower = style.follower(feed)
                    follower.hear_all(stream[:position])
                    follower.find(snapshot_id)
                    follower.hear_all(stream[position:])
                    ends_right(follower)

    def test_in_a_live_stream_is_noticed_at_the_very_event(self, style: Style) -> None:
        feed = style.feed(seed=12)
        for fault, at, stream in faulty(feed.updates):
            follower = style.follower(feed)
            follower.find(feed.ids[0])
            follower.hear_all(stream[:at])
            before = follower.at
            assert before == feed.updates[at].previous or style is STYLES["overlapping ranges"]
            is_continued = at < len(stream) and joins(style, stream[at], before)
            if fault in ("doubled", "repeated"):
                follower.hear_all(stream[at:])
                assert follower.is_live, fault
                assert follower.at == feed.ids[-1]
            elif at < len(stream) and not is_continued:
                (event,) = follower.hear(stream[at])
                assert isinstance(event, BookLost)
                assert event.gap
                assert follower.shown.health is Health.SYNCING
                reason = f"gap: an update follows {stream[at].previous}, but the book is at {before}"
                assert (follower.shown.health, follower.shown.reason) == (Health.SYNCING, reason)
                follower.hear_all(stream[at + 1 :])
                assert (follower.shown.health, follower.shown.counters.gaps) == (Health.SYNCING, 1)

    def test_while_a_snapshot_is_awaited_is_noticed_when_it_comes(self, style: Style) -> None:
        feed = style.feed(seed=13)
        for at in range(1, SHORT):
            follower = style.follower(feed)
            follower.hear_all([*feed.updates[:at], *feed.updates[at + 1 :]])
            lost = feed.updates[at]
            is_covered = at + 1 == SHORT or joins(style, feed.updates[at + 1], feed.updates[at - 1].last)
            assert follower.find(feed.ids[0]) == is_covered
            if not is_covered:
                assert follower.find(lost.last)
                assert follower.at == feed.ids[-1]


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["next"] * 6 + ["lost", "again", "snapshot", "old snapshot", "early"]), st.integers(0, 9)
    ),
    max_size=60,
)


@EVERY_STYLE
@given(acts=ACTS, seed=st.integers(0, 10**6))
@examples(60)
def test_a_long_stream_with_many_faults_is_never_shown_wrong_and_always_recovers(
    style: Style, acts: list[tuple[str, int]], seed: int
) -> None:
    feed = style.feed(seed, count=len(acts) + 3)
    follower, told = style.follower(feed), 0
    for act, number in acts:
        if act == "next":
            follower.hear(feed.updates[told])
        elif act == "again" and told:
            follower.hear(feed.updates[max(0, told - 1 - number)])
        elif act == "early":
            follower.hear(feed.updates[told + 1])
        elif act == "snapshot":
            follower.find(feed.ids[min(feed.ids.index(feed.updates[told].last) + number, len(feed.ids) - 1)])
        elif act == "old snapshot":
            follower.find(feed.ids[min(number, len(feed.ids) - 1)])
        told += act in ("next", "lost")
    follower.hear_all(feed.updates[told:])
    ends_right(follower)


@given(seed=st.integers(0, 10**6), lag=st.integers(0, 4))
@examples(60)
def test_a_venue_whose_snapshots_fall_inside_its_updates_is_joined_all_the_same(seed: int, lag: int) -> None:
    """Ids jump, and no snapshot is ever at the end of an update: after two failures one is taken."""
    style = STYLES["previous ids"]
    feed = style.feed(seed, count=40)
    inside = [at for at in feed.ids[1:] if at not in {update.last for update in feed.updates}]
    follower, tries = style.follower(feed), 0
    for position, update in enumerate(feed.updates):
        follower.hear(update)
        candidates = [at for at in inside if at < feed.updates[max(0, position - lag)].last]
        if not follower.is_live and position > lag and candidates:
            tries += 1
            follower.find(candidates[-1])
    assert follower.is_live
    assert tries <= 3
    assert follower.at == feed.ids[-1]


class TestABookThatIsGivenUp:
    def test_says_so_once_and_for_its_first_reason(self) -> None:
        feed = make_feed(Random(1), 4)
        follower = Follower(feed, UpdateRange())
        follower.find(feed.ids[0])
        (lost,) = follower.book.lost("the connection is gone", 5)
        assert isinstance(lost, BookLost)
        assert (lost.reason, lost.gap, lost.received_ns) == ("the connection is gone", False, 5)
        assert follower.book.lost("again", 6) == []
        assert follower.book.cut("again", 7) == []

    def test_with_its_connection_forgets_what_it_held(self) -> None:
        """A venue that restarts may count from the beginning: ids of before would never be reached again."""
        feed = make_feed(Random(2), 4)
        follower = Follower(feed, UpdateRange())
        for update in feed.updates:
            follower.book.updated(update.previous + 10**6, update.last + 10**6, delta_of(update, follower.listing))
        assert follower.book.cut("the connection is gone", 5) == []
        follower.hear_all(feed.updates)
        assert follower.find(feed.ids[0])
        assert follower.at == feed.ids[-1]


class TestABookFromSnapshotsWithinTheStream:
    def test_restarts_at_any_time(self) -> None:
        feed = make_feed(Random(3), SHORT, jumps=True)
        for position, update in enumerate(feed.updates):
            follower = Follower(feed, PreviousId())
            follower.hear_all(feed.updates[1 : position + 1])
            follower.restart(update.last)
            assert follower.at == update.last
            follower.hear_all(feed.updates[position + 1 :])
            assert follower.at == feed.ids[-1]

    def test_drops_what_it_held_before(self) -> None:
        feed = make_feed(Random(3), SHORT, jumps=True)
        follower = Follower(feed, PreviousId())
        follower.hear_all(feed.updates[:5])
        follower.heard = -1
        follower.restart(feed.ids[0])
        assert follower.at == feed.ids[0]
        follower.hear_all(feed.updates)
        assert follower.at == feed.ids[-1]


class TestABookOfWholePictures:
    def shown(self, order: int) -> BookSnapshot:
        return snapshot_of(State({1: order}, {}), listing())

    def test_shows_the_newest_and_drops_what_is_older(self) -> None:
        book = Book(listing(), PreviousId())
        assert [len(book.pictured(order, self.shown(order))) for order in (5, 6, 6, 4)] == [1, 1, 1, 0]
        assert book.at == 6

    def test_takes_any_picture_after_a_loss_as_its_repair(self) -> None:
        book = Book(listing(), PreviousId())
        book.pictured(5, self.shown(5))
        assert len(book.lost("gone", 0)) == 1
        (repair,) = book.pictured(3, self.shown(3))
        (another,) = book.pictured(4, self.shown(4))
        assert isinstance(repair, BookSnapshot)
        assert isinstance(another, BookSnapshot)
        assert [repair.resync, another.resync] == [True, False]

    def test_is_lost_when_updates_begin_to_come_instead(self) -> None:
        book = Book(listing(), PreviousId())
        book.pictured(5, self.shown(5))
        update = Update(5, 6, {1: 6}, {})
        (lost,) = book.updated(5, 6, delta_of(update, listing()))
        assert isinstance(lost, BookLost)
        assert not book.is_whole


def test_the_feed_that_proves_all_this_is_sound() -> None:
    """Applied in order and without a fault, the updates lead through true states to the last."""
    for style in STYLES.values():
        feed = style.feed(seed=1, count=50)
        follower = style.follower(feed)
        assert follower.find(feed.ids[0])
        for update in feed.updates:
            assert update.previous < update.last
            apply_all(follower.shown, [delta_of(update, follower.listing)])
            assert shown_state(follower.shown) == feed.states[update.last]
