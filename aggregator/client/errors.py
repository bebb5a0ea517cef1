"""What may go wrong between a program and the service. Each class says what it permits.

ClientError
├── NotReached      nothing left: whatever was asked for was not done, and may be asked again
├── Unanswered      it left, and no answer came: it may have been done, or not; all calls here are safe to repeat
└── Refused         the service said no, and why; the same again would be refused again
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aggregator.domain.errors import AggregatorError


class ClientError(AggregatorError):
    """Anything that a client raises on purpose."""


class NotReached(ClientError):
    """The service's address does not answer."""


class Unanswered(ClientError):
    """The connection broke, or the patience was over, before the answer was there."""


class Refused(ClientError):
    """`code` is stable and listed with the API, `status` that of HTTP; the text says what would be right."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code

    @classmethod
    def by(cls, status: int, problem: Mapping[str, Any]) -> Refused:
        """As the service's problem document has it."""
        detail = problem.get("detail") or problem.get("title") or f"HTTP status {status}"
        return cls(status, str(problem.get("code", "")), str(detail))
