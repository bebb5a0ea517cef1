"""The three ways of numbering: what continues a book, what is old, and what proves a loss."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sequencing import HELD_AT_MOST, PreviousId, SnapshotOnly, TooOld, UpdateRange, Verdict
from tests.twins.examples import examples

Machine = UpdateRange[str] | PreviousId[str]
BOTH = pytest.mark.parametrize("kind", [UpdateRange, PreviousId])


def started(machine: Machine, at: int = 100) -> Machine:
    machine.restart(at)
    return machine


@BOTH
class TestBothMachines:
    def test_apply_what_follows(self, kind: type[Machine]) -> None:
        machine = started(kind())
        assert [machine.offer(100, 105, "a"), machine.offer(105, 106, "b")] == [Verdict.NEXT, Verdict.NEXT]
        assert machine.last == 106

    def test_drop_what_is_known_already(self, kind: type[Machine]) -> None:
        machine = started(kind())
        machine.offer(100, 105, "a")
        assert [machine.offer(100, 105, "a"), machine.offer(90, 99, "z")] == [Verdict.OLD, Verdict.OLD]
        assert machine.last == 105

    def test_are_not_live_from_the_gap_on(self, kind: type[Machine]) -> None:
        machine = started(kind())
        assert machine.offer(101, 105, "b") is Verdict.GAP
        assert [machine.last, machine.is_synchronised] == [None, False]
        assert machine.offer(105, 106, "c") is Verdict.HELD

    def test_hold_the_update_that_showed_the_gap_and_all_that_follow(self, kind: type[Machine]) -> None:
        machine = started(kind())
        machine.offer(101, 105, "b")
        machine.offer(105, 106, "c")
        assert machine.splice(101) == ["b", "c"]
        assert machine.last == 106

    def test_hold_updates_from_the_beginning(self, kind: type[Machine]) -> None:
        machine = kind()
        held = [machine.holds_updates, machine.offer(100, 105, "a"), machine.holds_updates]
        assert held == [False, Verdict.HELD, True]
        assert machine.splice(100) == ["a"]
        assert [machine.holds_updates, machine.last] == [False, 105]

    def test_splice_a_snapshot_newer_than_all_that_is_held(self, kind: type[Machine]) -> None:
        machine = kind()
        machine.offer(100, 105, "a")
        assert machine.splice(105) == []
        assert machine.offer(105, 107, "b") is Verdict.NEXT
        machine = kind()
        machine.offer(100, 105, "a")
        assert machine.splice(200) == []
        assert [machine.offer(105, 110, "b"), machine.offer(110, 200, "c")] == [Verdict.OLD, Verdict.OLD]

    def test_splice_a_snapshot_with_nothing_held(self, kind: type[Machine]) -> None:
        machine = kind()
        assert machine.splice(100) == []
        assert machine.offer(100, 101, "a") is Verdict.NEXT

    def test_splice_updates_that_came_out_of_order(self, kind: type[Machine]) -> None:
        machine = kind()
        for previous, last, payload in ((105, 107, "b"), (100, 105, "a"), (107, 109, "c")):
            machine.offer(previous, last, payload)
        assert machine.splice(100) == ["a", "b", "c"]

    def test_refuse_a_snapshot_from_before_what_is_held_and_keep_holding(self, kind: type[Machine]) -> None:
        machine = kind()
        machine.offer(100, 105, "a")
        with pytest.raises(TooOld):
            machine.splice(99)
        assert machine.last is None
        assert machine.offer(105, 106, "b") is Verdict.HELD
        assert machine.splice(100) == ["a", "b"]

    def test_refuse_a_snapshot_with_a_gap_after_it(self, kind: type[Machine]) -> None:
        machine = kind()
        for previous, last, payload in ((100, 105, "a"), (106, 107, "c")):
            machine.offer(previous, last, payload)
        for snapshot_id in (100, 105):
            with pytest.raises(TooOld):
                machine.splice(snapshot_id)
        assert machine.splice(106) == ["c"]

    def test_start_a_book_that_never_changed_with_whatever_comes_first(self, kind: type[Machine]) -> None:
        machine = kind()
        machine.offer(7, 8, "a")
        machine.offer(8, 9, "b")
        assert machine.splice(-1) == ["a", "b"]
        machine = kind()
        assert machine.splice(-1) == []
        assert machine.offer(7, 8, "a") is Verdict.NEXT
        assert machine.offer(9, 10, "c") is Verdict.GAP, "that holds for the first update only"

    def test_do_not_splice_a_book_that_never_changed_to_updates_with_a_gap(self, kind: type[Machine]) -> None:
        machine = kind()
        machine.offer(7, 8, "a")
        machine.offer(9, 10, "c")
        with pytest.raises(TooOld):
            machine.splice(-1)

    def test_start_anew_from_a_snapshot_in_the_stream(self, kind: type[Machine]) -> None:
        machine = kind()
        machine.offer(100, 105, "a")
        machine.restart(200)
        assert machine.offer(200, 201, "b") is Verdict.NEXT
        machine.restart(50)
        assert machine.offer(50, 51, "c") is Verdict.NEXT, "a venue may count from the beginning again"

    def test_forget_what_was_held_when_the_book_is_lost(self, kind: type[Machine]) -> None:
        machine = kind()
        machine.offer(100, 105, "a")
        machine.lose()
        assert not machine.holds_updates
        assert machine.splice(90) == []

    def test_take_an_update_that_moves_nothing_as_a_sign_of_life(self, kind: type[Machine]) -> None:
        machine = started(kind())
        assert machine.offer(100, 100, "still here") is Verdict.NEXT
        assert machine.offer(99, 100, "a duplicate") is Verdict.OLD

    def test_hold_so_many_and_no_more(self, kind: type[Machine]) -> None:
        machine = kind()
        for at in range(3 * HELD_AT_MOST):
            machine.offer(at, at + 1, str(at))
            assert len(machine._held) <= HELD_AT_MOST
        newest = 3 * HELD_AT_MOST
        with pytest.raises(TooOld):
            machine.splice(5)
        assert machine.splice(newest - HELD_AT_MOST // 2)[-1] == str(newest - 1)

    def test_hold_enough_for_a_snapshot_that_is_late(self, kind: type[Machine]) -> None:
        machine = kind()
        for at in range(HELD_AT_MOST):
            machine.offer(at, at + 1, str(at))
        assert len(machine.splice(0)) == HELD_AT_MOST


class TestUpdateRange:
    def test_applies_a_range_that_overlaps_what_is_known(self) -> None:
        machine = UpdateRange[str]()
        machine.restart(100)
        assert machine.offer(95, 105, "a") is Verdict.NEXT
        assert machine.last == 105

    def test_splices_a_snapshot_that_falls_inside_a_range(self) -> None:
        machine = UpdateRange[str]()
        machine.offer(100, 105, "a")
        assert machine.splice(103) == ["a"]


class TestPreviousId:
    def test_believes_equality_only(self) -> None:
        for previous in (95, 99, 101):
            machine = PreviousId[str]()
            machine.restart(100)
            assert machine.offer(previous, 110, "a") is Verdict.GAP

    def test_lets_an_update_straddle_the_snapshot_after_two_strict_failures(self) -> None:
        machine = PreviousId[str]()
        machine.offer(100, 105, "a")
        machine.offer(105, 109, "b")
        for _ in range(2):
            with pytest.raises(TooOld):
                machine.splice(103)
        assert machine.splice(103) == ["a", "b"]
        assert machine.last == 109

    def test_stays_strict_between_the_updates_themselves(self) -> None:
        machine = PreviousId[str]()
        machine.offer(100, 105, "a")
        machine.offer(104, 109, "b")
        for _ in range(5):
            with pytest.raises(TooOld):
                machine.splice(103)

    def test_is_strict_again_after_a_success(self) -> None:
        machine = PreviousId[str]()
        machine.offer(100, 105, "a")
        for _ in range(2):
            with pytest.raises(TooOld):
                machine.splice(103)
        machine.splice(103)
        machine.lose()
        machine.offer(200, 205, "x")
        with pytest.raises(TooOld):
            machine.splice(203)

    def test_never_takes_a_snapshot_from_before_what_is_held_however_often(self) -> None:
        machine = PreviousId[str]()
        machine.offer(100, 105, "a")
        for _ in range(9):
            with pytest.raises(TooOld):
                machine.splice(99)


class TestSnapshotOnly:
    def test_takes_pictures_in_order_and_the_same_again_as_fresh(self) -> None:
        machine = SnapshotOnly()
        orders = (5, 6, 6, 4, 7)
        assert [machine.offer(order) for order in orders] == [
            *(Verdict.NEXT, Verdict.NEXT, Verdict.NEXT, Verdict.OLD, Verdict.NEXT)
        ]

    def test_takes_any_picture_after_a_loss(self) -> None:
        machine = SnapshotOnly()
        machine.offer(5)
        machine.lose()
        assert machine.offer(1) is Verdict.NEXT


OFFERS = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 4)), max_size=14)


@pytest.mark.parametrize("kind", [UpdateRange, PreviousId])
@given(offers=OFFERS, snapshot_ids=st.lists(st.integers(-1, 14), max_size=4))
@examples(150)
def test_every_step_a_book_takes_begins_where_it_is(
    kind: type[UpdateRange[tuple[int, int]]], offers: list[tuple[int, int]], snapshot_ids: list[int]
) -> None:
    """Whatever is offered, and whenever snapshots come: an update is applied only to a book that it can continue,
    and the book is then at the update's end."""
    machine = kind()
    waiting = list(snapshot_ids)

    def step(at: int, update: tuple[int, int]) -> int:
        previous, last = update
        assert previous <= at < last or at < 0, f"{update} was applied at {at}"
        return last

    for number, (previous, length) in enumerate(offers):
        update = (previous, previous + length)
        at = machine.last
        verdict = machine.offer(*update, update)
        if verdict is Verdict.NEXT:
            assert at is not None
            assert machine.last == step(at, update)
        elif verdict is Verdict.GAP:
            assert machine.last is None
        else:
            assert machine.last == at
        if machine.last is None and waiting and number % 3 == 2:
            at = waiting.pop()
            try:
                joined = machine.splice(at)
            except TooOld:
                assert machine.last is None
                continue
            if at < 0 and joined:
                at = joined[0][0]
            for taken in joined:
                at = step(at, taken)
            assert machine.last == at
