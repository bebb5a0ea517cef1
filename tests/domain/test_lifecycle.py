"""The table of a child's life: complete, without dead ends, and drawn as the documents draw it."""

from aggregator.domain.lifecycle import (
    ENDED_STATES,
    LIVE_STATES,
    TRANSITIONS,
    ChildState,
    Word,
    ending,
    moved,
    picture,
)
from tests.paths import REPOSITORY


def test_nothing_leads_out_of_an_ended_state() -> None:
    assert not [state for state, _ in TRANSITIONS if state in ENDED_STATES]


def test_every_live_state_has_a_word_for_every_outcome_of_a_question() -> None:
    for state in LIVE_STATES:
        for word in (Word.WORKING, Word.ENDED, Word.IN_DOUBT, Word.MISSING):
            assert moved(state, word) is not None, f"{state}: {word}"


def test_every_state_can_be_reached_and_every_live_one_can_be_left_for_an_end() -> None:
    reached = {
        ChildState.SUBMITTED,
        ChildState.MISSING,
        ChildState.FILLED,
        ChildState.PARTLY_FILLED,
        ChildState.UNFILLED,
    }
    reached |= set(TRANSITIONS.values())
    assert reached == set(ChildState)
    for state in LIVE_STATES - {ChildState.SETTLING}:
        assert ChildState.SETTLING in {after for (before, _), after in TRANSITIONS.items() if before is state}


def test_only_words_of_the_venue_move_what_is_unknown() -> None:
    moves = {word: after for (state, word), after in TRANSITIONS.items() if state is ChildState.UNKNOWN}
    assert {word for word, after in moves.items() if after is not ChildState.UNKNOWN} == {
        Word.RECEIVED, Word.WORKING, Word.ENDED, Word.REJECTED,
    }  # fmt: skip


def test_an_end_is_called_after_what_was_filled() -> None:
    assert [ending(filled, 4) for filled in (0, 1, 4)] == ["unfilled", "partly_filled", "filled"]


def test_the_picture_in_the_documents_is_drawn_from_the_table() -> None:
    assert picture() in (REPOSITORY / "ARCHITECTURE.md").read_text()
