"""What the certification of a venue came to: every check with what was done, what should come of it, and what was seen.

Pure: who carries the checks out, and who keeps the card, is elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from aggregator.domain.errors import DocumentRefused

VERSION = 1


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_EXERCISED = "not exercised"
    """Nothing was proved either way: `seen` says why."""


class Check(NamedTuple):
    """`done` and `expected` are the same for every venue; `seen` is what this one came to."""

    name: str
    done: str
    expected: str
    outcome: Outcome
    seen: str


@dataclass(frozen=True, slots=True)
class ScoreCard:
    """`fingerprint` is that of the venue's file as it was checked, `against` what was put before the connector, and
    `made_ns` when, in ns since the Unix epoch."""

    venue: str
    connector: str
    fingerprint: str
    against: str
    made_ns: int
    checks: tuple[Check, ...]

    def count(self, outcome: Outcome) -> int:
        return sum(check.outcome is outcome for check in self.checks)

    @property
    def failed(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.outcome is Outcome.FAILED)

    @property
    def is_passed(self) -> bool:
        """Nothing failed, and something was proved."""
        return not self.failed and self.count(Outcome.PASSED) > 0

    @property
    def score(self) -> str:
        """For people: `24/25`, of what was exercised."""
        passed = self.count(Outcome.PASSED)
        return f"{passed}/{passed + self.count(Outcome.FAILED)}"

    @property
    def made(self) -> str:
        """The UTC day and minute."""
        return datetime.fromtimestamp(self.made_ns // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M")

    def document(self) -> dict[str, Any]:
        return {
            "certificate": VERSION,
            "venue": self.venue,
            "connector": self.connector,
            "fingerprint": self.fingerprint,
            "against": self.against,
            "made_ns": self.made_ns,
            "is_passed": self.is_passed,
            "score": self.score,
            "checks": [check._asdict() for check in self.checks],
        }

    def markdown(self) -> str:
        verdict = "passed" if self.is_passed else "failed"
        unproved = self.count(Outcome.NOT_EXERCISED)
        lines = [
            f"# {self.venue}: {verdict}, {self.score}",
            "",
            f"Connector `{self.connector}`, against {self.against}, {self.made} UTC; {unproved} not exercised.",
            f"The file's fingerprint is `{self.fingerprint}`.",
            "",
            "| check | outcome | done | expected | seen |",
            "| --- | --- | --- | --- | --- |",
        ]
        for check in self.checks:
            cells = check.name, check.outcome.value, check.done, check.expected, check.seen
            lines.append("| " + " | ".join(_cell(text) for text in cells) + " |")
        return "\n".join(lines) + "\n"


def score_card(document: object) -> ScoreCard:
    """The card that a document tells of. Raises DocumentRefused for anything else, and for a verdict that does not
    follow from its checks."""
    if not isinstance(document, Mapping) or document.get("certificate") != VERSION:
        raise DocumentRefused(f"no certificate of version {VERSION}")
    try:
        card = ScoreCard(
            venue=_text(document, "venue"),
            connector=_text(document, "connector"),
            fingerprint=_text(document, "fingerprint"),
            against=_text(document, "against"),
            made_ns=int(document["made_ns"]),
            checks=tuple(_check(row) for row in document["checks"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DocumentRefused(f"a certificate in which something is missing or wrong: {error}") from None
    if document.get("is_passed") is not card.is_passed:
        raise DocumentRefused("a certificate whose verdict does not follow from its checks")
    return card


def _check(row: Mapping[str, Any]) -> Check:
    name, done, expected, seen = (_text(row, key) for key in ("name", "done", "expected", "seen"))
    return Check(name, done, expected, Outcome(row["outcome"]), seen)


def _text(document: Mapping[str, Any], key: str) -> str:
    value = document[key]
    if not isinstance(value, str):
        raise DocumentRefused(f"{key} of a certificate is no text")
    return value


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
