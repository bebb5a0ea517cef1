"""Switching venues and taking new ones on, over HTTP. Every change is journaled with who made it, and why."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web

from aggregator.api.auth import Caller, Keys
from aggregator.api.market import MarketRoutes
from aggregator.api.orders import Ask, asked
from aggregator.api.problems import Code, Problem
from aggregator.api.reading import answered, bad, decoded
from aggregator.api.routes import VENUE_ADD, VENUE_SWITCH, Endpoint, guarded
from aggregator.api.schema import VenueBody, VenueSwitchBody
from aggregator.domain.errors import ConfigurationRefused
from aggregator.domain.local import LOCAL_VENUE
from aggregator.domain.switches import VenueSwitched

AddVenue = Callable[[str, str, str], Awaitable[str]]
"""Takes on the venue that the text of a file describes, by someone and for a reason; returns its id. Raises
ConfigurationRefused with every fault, and then nothing has changed."""


class Followed(Protocol):
    """The venues that are followed."""

    def use_of(self, venue: str) -> VenueSwitched:
        """How far it is used now. Raises KeyError for a venue that there is not."""
        ...

    def has_account(self, venue: str) -> bool: ...


class VenueRoutes:
    """For scope `admin`."""

    def __init__(
        self,
        market: MarketRoutes,
        followed: Followed,
        add: AddVenue,
        keys: Keys,
        ask: Ask,
        clock_ns: Callable[[], int],
    ) -> None:
        self._clock_ns = clock_ns
        self._market = market
        self._followed = followed
        self._add = add
        self._keys = keys
        self._ask = ask

    def routes(self) -> list[Endpoint]:
        return [
            guarded(self._keys, VENUE_SWITCH, self.switch),
            guarded(self._keys, VENUE_ADD, self.add),
        ]

    async def switch(self, request: web.Request, caller: Caller) -> web.Response:
        wanted = decoded(await request.read(), VenueSwitchBody)
        venue, reason = request.match_info["venue"], _said(wanted.reason)
        if venue == LOCAL_VENUE:
            detail = "Busan's own books are opened, halted and closed one by one: POST /v1/books/{symbol}/state"
            raise Problem(409, Code.NOT_SWITCHABLE, "not switched like this", detail)
        self._market.entry(venue)
        if wanted.display is None and wanted.route is None and wanted.state is None:
            detail = "nothing to switch: give display, route or state"
            raise Problem(409, Code.NOT_SWITCHABLE, "nothing to switch", detail)
        if wanted.route and not self._followed.has_account(venue):
            detail = f"orders cannot go to {venue}: there are no credentials for it; set those that its file names"
            raise Problem(409, Code.NOT_SWITCHABLE, "no account there", detail)
        event = self._followed.use_of(venue).but(
            self._clock_ns(), caller.key, reason, display=wanted.display, route=wanted.route, state=wanted.state
        )
        await asked(self._ask, event)
        return answered(self._market.show_venue(venue))

    async def add(self, request: web.Request, caller: Caller) -> web.Response:
        wanted = decoded(await request.read(), VenueBody)
        try:
            venue = await self._add(wanted.file, caller.key, _said(wanted.reason))
        except ConfigurationRefused as refused:
            faults = "\n".join(refused.faults)
            raise Problem(422, Code.VENUE_REFUSED, "the file is not sound", faults) from None
        return answered(self._market.show_venue(venue), status=201)


def _said(reason: str) -> str:
    said = reason.strip()
    if not said.isprintable():
        raise bad("reason: say why in one line of at most 200 characters; it is kept with the change")
    return said
