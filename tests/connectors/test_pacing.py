"""Budgets are never exceeded in any stretch of their window, back-off is bounded, breakers close by themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.pacing import SECOND, Backoff, Breaker, Budget, wait_told_ns


@given(
    limit=st.integers(1, 20),
    requests=st.lists(st.tuples(st.integers(0, 3 * SECOND), st.integers(1, 25)), max_size=60),
)
def test_no_window_ever_holds_more_than_the_limit(limit: int, requests: list[tuple[int, int]]) -> None:
    budget, now_ns, spent = Budget(limit, SECOND), 0, list[tuple[int, int]]()
    for pause_ns, cost in requests:
        now_ns = budget.free_at_ns(cost, now_ns + pause_ns)
        budget.spend(cost, now_ns)
        spent.append((now_ns, cost))
    for start_ns, _ in spent:
        window = [cost for at_ns, cost in spent if start_ns <= at_ns < start_ns + SECOND]
        assert sum(window) <= limit or len(window) == 1


@given(limit=st.integers(1, 20), cost=st.integers(1, 25), spent=st.lists(st.integers(0, SECOND - 1), max_size=30))
def test_what_it_says_is_free_is_the_first_moment(limit: int, cost: int, spent: list[int]) -> None:
    budget = Budget(limit, SECOND)
    for at_ns in sorted(spent):
        budget.spend(1, at_ns)
    free_ns = budget.free_at_ns(cost, SECOND - 1)
    if free_ns > SECOND - 1:
        in_window_before = sum(1 for at_ns in spent if at_ns > free_ns - 1 - SECOND)
        assert in_window_before + min(cost, limit) > limit


def test_without_a_limit_nothing_waits() -> None:
    budget = Budget(None, SECOND)
    budget.spend(10**9, 5)
    assert budget.free_at_ns(10**9, 6) == 6


def test_backoff_doubles_up_to_its_longest_and_starts_anew() -> None:
    backoff = Backoff(SECOND, 5 * SECOND, jitter=lambda: 0)
    assert [backoff.next_wait_ns() // SECOND for _ in range(5)] == [1, 2, 4, 5, 5]
    backoff.reset()
    assert backoff.next_wait_ns() == SECOND


@given(jitter=st.floats(0, 1))
def test_jitter_takes_half_at_most(jitter: float) -> None:
    assert SECOND // 2 <= Backoff(SECOND, SECOND, jitter=lambda: jitter).next_wait_ns() <= SECOND


def test_a_breaker_counts_down_and_is_never_shortened() -> None:
    breaker = Breaker()
    breaker.trip(10 * SECOND, "429")
    breaker.trip(5 * SECOND, "later, but shorter")
    assert (breaker.remaining_ns(4 * SECOND), breaker.reason) == (6 * SECOND, "429")
    assert breaker.remaining_ns(10 * SECOND) == 0


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (200, {}, 0),
        (503, {}, 0),
        (429, {}, 60),
        (418, {"retry-after": "7"}, 7),
        (503, {"retry-after": "7"}, 7),
        (429, {"retry-after": "Sun, 22 Nov 2026 22:00:00 GMT"}, 60),
        (429, {"retry-after": "9" * 5000}, 60),
    ],
)
def test_a_reply_says_how_long_to_stay_away(status: int, headers: dict[str, str], seconds: int) -> None:
    assert wait_told_ns(status, headers) == seconds * SECOND
