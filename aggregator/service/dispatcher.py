"""Carries out what the engine wants done, and refreshes what readers see at the display rate."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from aggregator.domain.book import Health
from aggregator.domain.effects import (
    Alarm,
    AskAccount,
    AskChild,
    AskFills,
    CancelChild,
    Effect,
    HealthChanged,
    LocalHappened,
    OrderRequest,
    ParentChanged,
    PlaceChild,
    ResyncWanted,
    RulesChanged,
    VenueRefused,
    VenueTurned,
)
from aggregator.domain.events import Trade
from aggregator.engine.views import Views

log = logging.getLogger("aggregator.health")
orders_log = logging.getLogger("aggregator.orders")

Submit = Callable[[str, OrderRequest], Awaitable[None]]
"""Hands a venue a request about orders."""

Resync = Callable[[str, str, str], Awaitable[None]]
"""Asks a venue for one symbol anew, for a reason."""


async def to_nobody(*_: object) -> None:
    """Where no venue is followed."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """From now on the views show these instruments as they are."""

    instruments: frozenset[str]


Watched = HealthChanged | RulesChanged | VenueTurned | ParentChanged | LocalHappened | Trade | Refreshed
"""What watchers are told. The effects among them are durable by then."""

Watch = Callable[[Watched], None]
"""Takes note and returns at once, whatever it is told: it is called on the engine's way."""


class Dispatcher:
    """A request about orders waits only for those before it at the same venue; how many there can be is bounded by the
    open children."""

    def __init__(
        self,
        views: Views,
        rate_per_second: int,
        resync: Resync = to_nobody,
        submit: Submit = to_nobody,
    ) -> None:
        self._views = views
        self._resync = resync
        self._submit = submit
        self._requests: dict[str, asyncio.Queue[OrderRequest]] = {}
        self._unserved: list[str] = []
        """Venues whose queue nobody empties yet."""
        self.alarms: dict[str, int] = {}
        """How often each kind was raised."""
        self._pause_s = 1 / rate_per_second
        self._wanted: dict[tuple[str, str], str] = {}
        self._is_wanted = asyncio.Event()
        self.rules_changes: dict[tuple[str, str], int] = {}
        """By venue, how often an instrument's rules changed, and how often one stopped being traded."""
        self.health_changes: dict[tuple[str, Health], int] = {}
        self._watches: list[Watch] = []

    def watch(self, watch: Watch) -> None:
        """Tell it of everything from now on."""
        self._watches.append(watch)

    def pass_on(self, watched: Watched) -> None:
        for watch in self._watches:
            watch(watched)

    def carry_out(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, ResyncWanted):
                # Not asked from here: the answer's events go to the inbox, which waits for whoever calls this.
                self._wanted[effect.venue, effect.symbol] = effect.reason
                self._is_wanted.set()
            elif isinstance(effect, VenueRefused):
                self._tell_refusal(effect)
            elif isinstance(effect, RulesChanged):
                self._tell_rules(effect)
                self.pass_on(effect)
            elif isinstance(effect, HealthChanged):
                self._tell(effect)
                self.pass_on(effect)
            elif isinstance(effect, VenueTurned | ParentChanged | LocalHappened):
                self.pass_on(effect)
            elif isinstance(effect, Alarm):
                self._tell_alarm(effect)
            elif isinstance(effect, PlaceChild | CancelChild | AskChild | AskFills | AskAccount):
                self._queue(venue_of(effect)).put_nowait(effect)

    def _queue(self, venue: str) -> asyncio.Queue[OrderRequest]:
        queue = self._requests.get(venue)
        if queue is None:
            queue = self._requests[venue] = asyncio.Queue()
            self._unserved.append(venue)
            self._is_wanted.set()
        return queue

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._refresh())
            while True:
                await self._is_wanted.wait()
                self._is_wanted.clear()
                while self._unserved:
                    tasks.create_task(self._serve(self._unserved.pop()))
                wanted, self._wanted = self._wanted, {}
                for (venue, symbol), reason in wanted.items():
                    await self._resync(venue, symbol, reason)

    async def _serve(self, venue: str) -> None:
        while True:
            await self._submit(venue, await self._requests[venue].get())

    async def _refresh(self) -> None:
        while True:
            self.pass_on(Refreshed(frozenset(self._views.refresh())))
            await asyncio.sleep(self._pause_s)

    def _tell(self, change: HealthChanged) -> None:
        key = (change.venue, change.after)
        self.health_changes[key] = self.health_changes.get(key, 0) + 1
        is_start = change.before is Health.EMPTY
        level = logging.INFO if is_start or change.after is Health.LIVE else logging.WARNING
        log.log(
            level,
            "%s %s is %s%s",
            change.venue,
            change.instrument,
            change.after,
            f": {change.reason}" if change.reason else "",
            extra={"venue": change.venue, "instrument": change.instrument, "health": str(change.after)},
        )

    def _tell_rules(self, change: RulesChanged) -> None:
        key = (change.venue, "changed" if change.tradable else "not tradable")
        self.rules_changes[key] = self.rules_changes.get(key, 0) + 1
        log.warning(
            "%s has other rules for %s: %s",
            change.venue,
            change.instrument,
            change.what,
            extra={"venue": change.venue, "instrument": change.instrument, "rules_version": change.version},
        )

    def _tell_alarm(self, alarm: Alarm) -> None:
        self.alarms[alarm.code] = self.alarms.get(alarm.code, 0) + 1
        extra = {"venue": alarm.venue, "order_id": alarm.order_id, "code": alarm.code}
        orders_log.error("%s: %s", alarm.code, alarm.text, extra=extra)

    def _tell_refusal(self, refusal: VenueRefused) -> None:
        about = f" about {refusal.instrument}" if refusal.instrument else ""
        log.warning("%s said no%s: %s", refusal.venue, about, refusal.reason, extra={"venue": refusal.venue})


def venue_of(request: OrderRequest) -> str:
    return request.venue if isinstance(request, AskAccount) else request.terms.venue
