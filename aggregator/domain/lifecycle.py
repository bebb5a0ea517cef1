"""The life of a child order, as one table: which state a venue's word leads to from which state.

How a child ends follows from what was filled, never from the venue's word alone: venues disagree on how a partly filled
immediate order is called. A child whose venue says that it has ended stays `settling` until the fills that we know of
come to what the venue executed.
"""

from __future__ import annotations

from enum import StrEnum


class ChildState(StrEnum):
    SUBMITTED = "submitted"
    """On its way; no answer yet."""
    ACCEPTED = "accepted"
    """The venue has received it, and has not said that it works. That is not yet a promise that a question finds it."""
    WORKING = "working"
    """In the venue's book."""
    UNKNOWN = "unknown"
    """In doubt: only the venue's own word, asked by our id, moves it. Its quantity stays reserved."""
    SETTLING = "settling"
    """Ended at the venue; fills that it executed are still to be told."""
    FILLED = "filled"
    PARTLY_FILLED = "partly_filled"
    """Ended, with a part filled."""
    UNFILLED = "unfilled"
    """Ended, with nothing filled."""
    REJECTED = "rejected"
    """The venue refused it."""
    NOT_SENT = "not_sent"
    """It never reached the venue's books; the same may be tried again, under another id."""
    MISSING = "missing"
    """Answers agree, after the grace window, that the venue knows no such order."""


class Word(StrEnum):
    """What a venue, or the way to it, says of a child."""

    RECEIVED = "received"
    """The venue has it; whether it works is not said."""
    WORKING = "working"
    """It is in the book."""
    ENDED = "ended"
    """It is over: filled, canceled or expired."""
    REJECTED = "rejected"
    """Refused: nothing of it was done, and nothing will be."""
    NOT_SENT = "not_sent"
    """It never left, or was turned away before it was looked at (a rate limit, for example)."""
    IN_DOUBT = "in_doubt"
    """It left, and what came of it is not known."""
    MISSING = "missing"
    """Asked by our id: no such order."""


S, W = ChildState, Word

ENDED_STATES = frozenset({S.FILLED, S.PARTLY_FILLED, S.UNFILLED, S.REJECTED, S.NOT_SENT, S.MISSING})

LIVE_STATES = frozenset(ChildState) - ENDED_STATES

TRANSITIONS: dict[tuple[ChildState, Word], ChildState] = {
    (S.SUBMITTED, W.RECEIVED): S.ACCEPTED,
    (S.SUBMITTED, W.WORKING): S.WORKING,
    (S.SUBMITTED, W.ENDED): S.SETTLING,
    (S.SUBMITTED, W.REJECTED): S.REJECTED,
    (S.SUBMITTED, W.NOT_SENT): S.NOT_SENT,
    (S.SUBMITTED, W.IN_DOUBT): S.UNKNOWN,
    (S.SUBMITTED, W.MISSING): S.UNKNOWN,
    (S.ACCEPTED, W.RECEIVED): S.ACCEPTED,
    (S.ACCEPTED, W.WORKING): S.WORKING,
    (S.ACCEPTED, W.ENDED): S.SETTLING,
    (S.ACCEPTED, W.REJECTED): S.REJECTED,  # a venue that only receives at first may refuse later
    (S.ACCEPTED, W.IN_DOUBT): S.UNKNOWN,
    (S.ACCEPTED, W.MISSING): S.UNKNOWN,  # acknowledged is not working: not found is not believed yet
    (S.WORKING, W.RECEIVED): S.WORKING,  # an acknowledgement that came late
    (S.WORKING, W.WORKING): S.WORKING,
    (S.WORKING, W.ENDED): S.SETTLING,
    (S.WORKING, W.REJECTED): S.SETTLING,  # refused after all: it is over, whatever was filled before
    (S.WORKING, W.IN_DOUBT): S.UNKNOWN,
    (S.WORKING, W.MISSING): S.UNKNOWN,
    (S.UNKNOWN, W.RECEIVED): S.ACCEPTED,
    (S.UNKNOWN, W.WORKING): S.WORKING,
    (S.UNKNOWN, W.ENDED): S.SETTLING,
    (S.UNKNOWN, W.REJECTED): S.REJECTED,
    (S.UNKNOWN, W.IN_DOUBT): S.UNKNOWN,
    (S.UNKNOWN, W.MISSING): S.UNKNOWN,  # until the grace window is over and answers agree: see `execution`
    (S.SETTLING, W.RECEIVED): S.SETTLING,
    (S.SETTLING, W.WORKING): S.SETTLING,  # an older word that came later
    (S.SETTLING, W.ENDED): S.SETTLING,
    (S.SETTLING, W.REJECTED): S.SETTLING,
    (S.SETTLING, W.IN_DOUBT): S.SETTLING,
    (S.SETTLING, W.MISSING): S.SETTLING,  # venues forget ended orders; the fills are asked for all the same
}
"""What is not in it is contradictory: such a word changes no state, and is told as an alarm."""


def moved(state: ChildState, word: Word) -> ChildState | None:
    """The next state, None for a word that contradicts the state."""
    return TRANSITIONS.get((state, word))


def ending(filled: int, quantity: int) -> ChildState:
    """How a child that has ended at its venue is called."""
    if filled >= quantity:
        return ChildState.FILLED
    return ChildState.PARTLY_FILLED if filled else ChildState.UNFILLED


def picture() -> str:
    """The table as a Mermaid state diagram, words that change nothing left out."""
    words: dict[tuple[ChildState, ChildState], list[str]] = {}
    for (state, word), after in TRANSITIONS.items():
        if state is not after:
            words.setdefault((state, after), []).append(word)
    lines = ["stateDiagram-v2", f"    [*] --> {S.SUBMITTED}"]
    lines += [f"    {state} --> {after}: {', '.join(told)}" for (state, after), told in words.items()]
    lines += [f"    {S.UNKNOWN} --> {S.MISSING}: answers agree after the grace window"]
    lines += [f"    {S.SETTLING} --> {state}: fills are complete" for state in (S.FILLED, S.PARTLY_FILLED, S.UNFILLED)]
    lines += [f"    {state} --> [*]" for state in ChildState if state in ENDED_STATES]
    return "\n".join(lines) + "\n"
