"""How far a venue is used: whether its books are shown, whether orders go there, and whether it is followed at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class VenueState(StrEnum):
    ACTIVE = "active"
    DRAINING = "draining"
    """Takes no new child. It is off by itself once everything of ours there has ended."""
    OFF = "off"
    """Neither followed nor asked for anything. One of which orders are still live drains first, and what rests there is
    canceled."""


@dataclass(frozen=True, slots=True)
class VenueSwitched:
    """From now on a venue is used this far, by `by` and for this `reason`: whole, not what has changed.

    `filed` is what the venue's file said of display and route at that moment. A person's word stands until a person
    says otherwise, or until the file says something else than it said then. `has_account`: orders can go there.
    """

    received_ns: int
    venue: str
    display: bool
    route: bool
    state: VenueState
    by: str
    reason: str = ""
    filed: str = ""
    has_account: bool = False

    def but(
        self,
        received_ns: int,
        by: str,
        reason: str,
        *,
        display: bool | None = None,
        route: bool | None = None,
        state: VenueState | None = None,
    ) -> VenueSwitched:
        """A person's word on the same venue. What is left out stays."""
        return replace(
            self,
            received_ns=received_ns,
            by=by,
            reason=reason,
            display=self.display if display is None else display,
            route=self.route if route is None else route,
            state=self.state if state is None else state,
        )

    @property
    def hidden_reason(self) -> str | None:
        """Why its books are not shown; None when they are."""
        if self.state is VenueState.OFF:
            return self._told("switched off")
        return None if self.display else self._told("not displayed")

    @property
    def closed_reason(self) -> str | None:
        """Why no new child goes there; None when one may."""
        if self.state is not VenueState.ACTIVE:
            return self._told("switched off" if self.state is VenueState.OFF else "draining")
        return None if self.route else self._told("its route is switched off")

    def _told(self, what: str) -> str:
        by = f" by {self.by}" if self.by else ""
        return f"{what}{by}: {self.reason}" if self.reason else f"{what}{by}"


def filed(display: bool, route: bool) -> str:
    """What a file says, as `VenueSwitched.filed` keeps it."""
    return f"display {'on' if display else 'off'}, route {'on' if route else 'off'}"
