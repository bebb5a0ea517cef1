"""Asking for snapshots is bounded: at once, then after growing waits, and for each book on its own."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from connectors.resync import SECOND, Resyncs
from tests.twins.examples import examples

PATIENCE = 10 * SECOND


def asked_until(resyncs: Resyncs, end_ns: int, *, fails_after_ns: int | None = None) -> list[int]:
    """When the one book of these is asked for, each time in seconds. Every answer fails after the time given."""
    asked = []
    while (at_ns := resyncs.next_ns()) is not None and at_ns <= end_ns:
        if resyncs.take_due(at_ns):
            asked.append(at_ns // SECOND)
            if fails_after_ns is not None:
                resyncs.failed("BTCUSDT", at_ns + fails_after_ns)
    return asked


class TestWhenABookIsAskedFor:
    def test_is_at_the_time_planned(self) -> None:
        resyncs = Resyncs(PATIENCE)
        resyncs.plan("BTCUSDT", 5)
        assert (resyncs.take_due(4), resyncs.next_ns()) == ([], 5)
        assert resyncs.take_due(5) == ["BTCUSDT"]
        assert resyncs.take_due(5) == [], "once"

    def test_is_not_moved_by_planning_it_again(self) -> None:
        resyncs = Resyncs(PATIENCE)
        resyncs.plan("BTCUSDT", 5)
        resyncs.plan("BTCUSDT", 1)
        resyncs.plan("BTCUSDT", 9)
        assert resyncs.next_ns() == 5

    def test_may_be_hastened_while_it_was_never_asked_for(self) -> None:
        resyncs = Resyncs(PATIENCE)
        resyncs.plan("BTCUSDT", 5)
        resyncs.hasten("BTCUSDT", 3)
        resyncs.hasten("BTCUSDT", 4)
        assert resyncs.take_due(3) == ["BTCUSDT"]
        resyncs.hasten("BTCUSDT", 4)
        resyncs.hasten("ETHUSDT", 4)
        assert resyncs.take_due(5) == []

    def test_is_again_when_no_answer_comes(self) -> None:
        resyncs = Resyncs(PATIENCE)
        resyncs.plan("BTCUSDT", 0)
        assert asked_until(resyncs, 100 * SECOND) == [0, 10, 20, 30, 46, 78]

    def test_is_again_after_growing_waits_when_answers_are_of_no_use(self) -> None:
        resyncs = Resyncs(PATIENCE)
        resyncs.plan("BTCUSDT", 0)
        assert asked_until(resyncs, 160 * SECOND, fails_after_ns=0) == [0, 2, 6, 14, 30, 60, 90, 120, 150]

    def test_is_never_again_once_the_book_is_there(self) -> None:
        resyncs = Resyncs(PATIENCE)
        resyncs.plan("BTCUSDT", 0)
        resyncs.take_due(0)
        resyncs.done("BTCUSDT")
        assert resyncs.next_ns() is None
        assert "BTCUSDT" not in resyncs
        resyncs.done("BTCUSDT")

    def test_is_forgotten_with_the_connection(self) -> None:
        resyncs = Resyncs(PATIENCE)
        resyncs.plan("BTCUSDT", 0)
        resyncs.take_due(0)
        resyncs.clear()
        assert resyncs.next_ns() is None
        resyncs.plan("BTCUSDT", 1)
        assert resyncs.take_due(1) == ["BTCUSDT"]


class TestAFailure:
    def test_counts_once_for_each_question(self) -> None:
        """Else bad frames that keep coming would put off the next question for ever."""
        resyncs = Resyncs(PATIENCE)
        resyncs.plan("BTCUSDT", 0)
        resyncs.take_due(0)
        for at_ns in range(1, SECOND, SECOND // 50):
            resyncs.failed("BTCUSDT", at_ns)
        assert resyncs.next_ns() == 1 + 2 * SECOND

    def test_before_the_question_changes_nothing(self) -> None:
        resyncs = Resyncs(PATIENCE)
        resyncs.plan("BTCUSDT", 5)
        resyncs.failed("BTCUSDT", 1)
        assert resyncs.next_ns() == 5

    def test_of_a_question_that_someone_else_asked_is_asked_again(self) -> None:
        resyncs = Resyncs(PATIENCE)
        resyncs.failed("BTCUSDT", 0)
        assert resyncs.next_ns() == SECOND


class TestABookThatIsLostOverAndOver:
    def test_is_asked_for_at_once_and_then_more_and_more_seldom(self) -> None:
        resyncs, asked = Resyncs(PATIENCE), []
        for at_ns in range(0, 200 * SECOND, SECOND // 10):
            resyncs.plan("BTCUSDT", at_ns)
            if resyncs.take_due(at_ns):
                asked.append(at_ns // SECOND)
                resyncs.done("BTCUSDT")
        assert asked == [0, 2, 6, 14, 30, 60, 90, 120, 150, 180]

    def test_is_asked_for_at_once_again_after_a_calm(self) -> None:
        resyncs = Resyncs(PATIENCE)
        for at_ns in (0, 61 * SECOND, 130 * SECOND):
            resyncs.plan("BTCUSDT", at_ns)
            assert resyncs.take_due(at_ns) == ["BTCUSDT"]
            resyncs.done("BTCUSDT")

    def test_after_a_single_earlier_loss_is_not_kept_waiting(self) -> None:
        resyncs = Resyncs(PATIENCE)
        for at_ns in (0, 3 * SECOND):
            resyncs.plan("BTCUSDT", at_ns)
            assert resyncs.take_due(at_ns) == ["BTCUSDT"]
            resyncs.done("BTCUSDT")


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["plan", "failed", "done", "hasten", "wait"]),
        st.sampled_from(["A", "B"]),
        st.integers(0, 5 * SECOND),
    ),
    max_size=80,
)


@given(acts=ACTS)
@examples(100)
def test_whatever_happens_no_book_is_asked_for_more_than_so_often(acts: list[tuple[str, str, int]]) -> None:
    resyncs, now_ns = Resyncs(PATIENCE), 0
    asked: dict[str, list[int]] = {"A": [], "B": []}
    for act, symbol, waited_ns in acts:
        if act == "wait":
            now_ns += waited_ns
        elif act == "done":
            resyncs.done(symbol)
        else:
            getattr(resyncs, act)(symbol, now_ns)
        for due in resyncs.take_due(now_ns):
            asked[due].append(now_ns)
    for times in asked.values():
        waits = [later - earlier for earlier, later in pairwise(times)]
        assert all(wait >= SECOND for wait in waits)
        assert sum(1 for at_ns in times if at_ns <= 60 * SECOND) <= 6


@given(acts=ACTS)
@examples(100)
def test_what_befalls_one_book_does_not_change_when_another_is_asked_for(acts: list[tuple[str, str, int]]) -> None:
    together, alone, now_ns = Resyncs(PATIENCE), Resyncs(PATIENCE), 0
    for act, symbol, waited_ns in acts:
        for resyncs in (together, alone):
            if act not in ("wait", "done") and (resyncs is together or symbol == "A"):
                getattr(resyncs, act)(symbol, now_ns)
            elif act == "done" and (resyncs is together or symbol == "A"):
                resyncs.done(symbol)
        now_ns += waited_ns if act == "wait" else 0
        assert [due for due in together.take_due(now_ns) if due == "A"] == alone.take_due(now_ns)
