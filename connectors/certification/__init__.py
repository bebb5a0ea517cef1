"""Certification: what proves that a venue's file and its connector may be believed."""

from __future__ import annotations

from collections.abc import Iterator

from aggregator.domain.certificate import Check
from connectors.certification import book_trials, order_trials, request_trials
from connectors.certification.subject import Subject, carried_out

__all__ = ["TRIALS", "Subject", "certify"]

TRIALS = book_trials.TRIALS + request_trials.TRIALS + order_trials.TRIALS


def certify(subject: Subject) -> Iterator[Check]:
    """Every check on the venue's simulator, one after the other; each begins anew, at a venue that nobody has met."""
    for trial in TRIALS:
        yield carried_out(trial, subject)
