"""The venues that are followed. They come, change and go while the service runs, none of them at another's cost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from importlib import import_module
from typing import Any

from aggregator.api.market import VenueEntry
from aggregator.assembly.certificates import only_certified
from aggregator.assembly.loading import Post, Tap, connector_of
from aggregator.books.venue_book import Freshness
from aggregator.config.files import Configuration
from aggregator.config.settings import Routing
from aggregator.config.venues import VenueSettings
from aggregator.domain.effects import OrderRequest, VenueTurned
from aggregator.domain.errors import ConfigurationRefused, VenueDefunct
from aggregator.domain.events import BookLost, ListingsRead
from aggregator.domain.instrument import Instrument, Instruments, Listing
from aggregator.domain.plan import RoutingPolicy, VenueTerms
from aggregator.domain.switches import VenueState, VenueSwitched, filed
from aggregator.engine.engine import Engine

log = logging.getLogger("aggregator.venues")

NEEDS_NO_NEW_CONNECTOR = {"name", "display", "route", "freshness"}
"""Keys of a venue's file that can change without its own connections being made anew."""

CredentialsOf = Callable[[VenueSettings], Any | None]
"""The account's credentials at a venue; None where no order may go."""

Ask = Callable[[Any], Any]


class Fleet:
    """`settings`, `connectors` and `entries` are by venue, and follow what happens: hold on to them, not to copies.

    `run` follows every venue that is not switched off. `reload` takes on another configuration, whole or not at all.
    """

    def __init__(
        self,
        engine: Engine,
        configuration: Configuration,
        instruments: Instruments,
        credentials_of: CredentialsOf,
        post: Post,
        clock_ns: Callable[[], int],
        tap: Tap | None,
    ) -> None:
        self._engine = engine
        self._instruments = instruments
        self._credentials_of = credentials_of
        self._post = post
        self._clock_ns = clock_ns
        self._tap = tap
        configuration = _certified(configuration)
        self._routing = configuration.settings.routing
        self.settings: dict[str, VenueSettings] = {}
        self.connectors: dict[str, Any] = {}
        self.entries: dict[str, VenueEntry] = {}
        self.states: dict[str, Callable[[], Mapping[str, Any]]] = {}
        """How each venue's connections fare, for whoever asks."""
        self.with_account: set[str] = set()
        self.refused: tuple[str, ...] = ()
        """The faults of the files as they are now, while those of before are still in use."""
        self._running: dict[str, tuple[Any, asyncio.Task[None]]] = {}
        self._leaving: set[str] = set()
        self._is_changed = asyncio.Event()
        for venue in configuration.venues:
            self._take(venue, self._connector(venue))
            # A client who repeats a request right after the start is to be answered, before any venue was reached.
            engine.apply(ListingsRead(venue.venue, clock_ns(), venue.fixed_listings(instruments.listed)))

    @property
    def order_venues(self) -> tuple[str, ...]:
        """Those to which orders can go."""
        return tuple(venue for venue in self.settings if venue in self.with_account)

    def policy(self, instrument: Instrument) -> RoutingPolicy:
        """How an instrument is routed, by the process file and by each venue's; what a person has switched goes before
        what the venue's file says of its route."""
        terms = {}
        switches = self._engine.orders.state.switches
        for name, venue in self.settings.items():
            own, switched = venue.terms(instrument), switches.get(name)
            terms[name] = own if switched is None else own.with_route(switched.route)
        return routing_policy(self._routing, terms)

    def status(self, venue: str) -> Mapping[str, Any]:
        return asdict(self.connectors[venue].status())

    async def resync(self, venue: str, symbol: str, reason: str) -> None:
        if venue in self._running:
            await self._running[venue][0].resync(symbol, reason)

    async def submit(self, venue: str, request: OrderRequest) -> None:
        """Hand a request about orders to its venue; where nobody follows it, nothing of it leaves, and that is told."""
        connector = self.connectors.get(venue)
        if connector is not None:
            await connector.submit(request)
        else:
            submission = import_module("connectors.submission")
            await self._post(submission.submit(None, venue, request, self._clock_ns()))

    def has_account(self, venue: str) -> bool:
        return venue in self.with_account

    def use_of(self, venue: str) -> VenueSwitched:
        """How far the venue is used, by whom it was switched last or else by its file. Raises KeyError for a venue that
        there is not."""
        settings, switched = self.settings[venue], self._engine.orders.state.switches.get(venue)
        if switched is not None:
            return replace(switched, filed=filed(settings.display, settings.route))
        says = filed(settings.display, settings.route)
        return VenueSwitched(0, venue, settings.display, settings.route, VenueState.ACTIVE, "", filed=says)

    def note(self, watched: object) -> None:
        """For the dispatcher's watchers."""
        if isinstance(watched, VenueTurned):
            self._is_changed.set()

    def switched_by_files(self, by: str = "its file", reason: str = "") -> list[VenueSwitched]:
        """What the files say of each venue, as far as nobody has said otherwise since they said it."""
        return [event for venue in self.settings.values() if (event := self._by_file(venue, by, reason)) is not None]

    async def run(self) -> None:
        """Until cancelled. A defect of ours in a connector ends the whole, and is raised here."""
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    await self._settle(tasks)
                    await self._is_changed.wait()
                    self._is_changed.clear()
        finally:
            self._running.clear()

    async def reload(self, configuration: Configuration, ask: Ask, by: str, reason: str) -> list[str]:
        """Take on the venues of another configuration; returns those that changed. `by` and `reason` are journaled.

        Raises ConfigurationRefused with everything as it was before, and JournalFailed when nothing can be recorded.
        """
        configuration = _certified(configuration)
        wanted = {venue.venue: venue for venue in configuration.venues}
        changed = [venue for venue in wanted.values() if _differs(self.settings.get(venue.venue), venue)]
        gone = [venue for venue in self.settings if venue not in wanted and venue not in self._leaving]
        self._instruments.learn(configuration.instruments.values())
        try:
            made = {venue.venue: self._made_anew(venue) for venue in changed}
        except VenueDefunct as error:
            raise ConfigurationRefused([str(error)]) from None
        self._routing = configuration.settings.routing
        for venue in changed:
            connector, listings = made[venue.venue]
            event = self._by_file(venue, by, reason)
            if event is not None:
                await ask(event)
            self._take(venue, connector)
            self._leaving.discard(venue.venue)
            await self._list(venue, listings)
        for name in gone:
            self._leaving.add(name)
            await ask(self._switched_off(name, by, reason or "its file is gone"))
        if changed or gone:
            log.info("venues changed by %s: %s", by, ", ".join([*made, *gone]), extra={"by": by, "reason": reason})
        self._is_changed.set()
        return [*made, *gone]

    def _made_anew(self, venue: VenueSettings) -> tuple[Any, list[Listing]]:
        """All of it that can be refused. The connector is the one that there is where that can go on."""
        listings = venue.fixed_listings(self._instruments.listed)
        before = self.settings.get(venue.venue)
        if before is not None and not _needs_connector(before, venue):
            return self.connectors[venue.venue], listings
        listed = {listing.instrument.name for listing in listings}
        live = {child.terms.instrument.name for child in self._engine.orders.state.live_children(venue.venue)}
        if live - listed and venue.market_list is None:
            text = f"orders are live there in {', '.join(sorted(live - listed))}; cancel them, or drain the venue first"
            raise ConfigurationRefused([venue.fault(("listings",), text)])
        return self._connector(venue), listings

    def _connector(self, venue: VenueSettings) -> Any:
        credentials = self._credentials_of(venue)
        if credentials is not None:
            self.with_account.add(venue.venue)
        return connector_of(venue, self._instruments, credentials, self._post, self._clock_ns, self._tap)

    def _take(self, venue: VenueSettings, connector: Any) -> None:
        name = venue.venue
        self.settings[name], self.connectors[name] = venue, connector
        self._engine.set_freshness(name, _freshness(venue))
        self.states[name] = partial(self.status, name)
        self.entries[name] = VenueEntry(
            name,
            venue.name,
            venue.connector,
            venue.status,
            venue.display,
            venue.route,
            venue.endpoints.rest or "",
            self.states[name],
            partial(self._refusal_of, name),
        )

    async def _list(self, venue: VenueSettings, listings: Sequence[Listing]) -> None:
        """Books of what is not listed any more go; the others get their rules."""
        if venue.market_list is None:
            self._engine.keep_only(venue.venue, {listing.instrument.name for listing in listings})
        await self._post([ListingsRead(venue.venue, self._clock_ns(), list(listings))])

    def _by_file(self, venue: VenueSettings, by: str, reason: str) -> VenueSwitched | None:
        """None where the file says what it said when the venue was switched last."""
        name, says = venue.venue, filed(venue.display, venue.route)
        before = self._engine.orders.state.switches.get(name)
        has_account = name in self.with_account
        joins = has_account and name not in self._engine.orders.state.venues
        returns = before is not None and before.filed == GONE
        if before is not None and before.filed == says and not joins:
            return None
        state = VenueState.ACTIVE if before is None or returns else before.state
        now_ns = self._clock_ns()
        return VenueSwitched(now_ns, name, venue.display, venue.route, state, by, reason, says, has_account)

    def _switched_off(self, venue: str, by: str, reason: str) -> VenueSwitched:
        return VenueSwitched(self._clock_ns(), venue, False, False, VenueState.OFF, by, reason, GONE)

    def _refusal_of(self, venue: str) -> str | None:
        own = [fault for fault in self.refused if f"{venue}.y" in fault.partition(":")[0]]
        return "; ".join(own) or None

    async def _settle(self, tasks: asyncio.TaskGroup) -> None:
        """Start what is to be followed, end what is not to be any more."""
        for name in list(self._running):
            connector = self.connectors.get(name)
            if self._is_off(name) or self._running[name][0] is not connector:
                await self._stop(name)
        for name, connector in list(self.connectors.items()):
            if name in self._running:
                continue
            if self._is_off(name):
                if name in self._leaving:
                    self._forget(name)
                continue
            self._running[name] = connector, tasks.create_task(connector.run(), name=f"venue {name}")

    def _is_off(self, venue: str) -> bool:
        return self._engine.orders.state.is_off(venue)

    async def _stop(self, venue: str) -> None:
        _, task = self._running.pop(venue)
        task.cancel()
        await asyncio.wait([task])
        if venue in self.connectors and self._is_off(venue):
            self.connectors[venue] = self._connector(self.settings[venue])  # one that has ended is not run again
        now_ns = self._clock_ns()
        reason = "switched off" if self._is_off(venue) else "its connection is made anew"
        books = [book for book in self._engine.market if book.venue == venue]
        await self._post([BookLost(venue, book.listing.instrument.name, now_ns, reason) for book in books])

    def _forget(self, venue: str) -> None:
        for part in (self.settings, self.connectors, self.entries, self.states):
            part.pop(venue, None)
        self._leaving.discard(venue)
        self.with_account.discard(venue)
        self._engine.forget(venue)


def routing_policy(routing: Routing, terms: Mapping[str, VenueTerms]) -> RoutingPolicy:
    """The process file's part of it and the venues'."""
    return RoutingPolicy(terms, market_bound_bps=routing.market_bound_bps, search_limit=routing.search_limit)


GONE = "no file"
"""What `VenueSwitched.filed` says of a venue that no file describes any more."""


def _certified(configuration: Configuration) -> Configuration:
    """With nobody routed to who has to be certified first; that is told."""
    certified, objections = only_certified(configuration)
    for venue, why in objections.items():
        log.warning("%s is shown and not routed to: %s", venue, why, extra={"venue": venue})
    return certified


def _differs(before: VenueSettings | None, now: VenueSettings) -> bool:
    return before is None or before.model_dump() != now.model_dump()


def _needs_connector(before: VenueSettings, now: VenueSettings) -> bool:
    return before.model_dump(exclude=NEEDS_NO_NEW_CONNECTOR) != now.model_dump(exclude=NEEDS_NO_NEW_CONNECTOR)


def _freshness(venue: VenueSettings) -> Freshness:
    limits = venue.freshness
    return Freshness(limits.silent_ns or 0, limits.behind_ns or 0, limits.frozen_ns or 0)
