"""Carries out what the engine wants done, and refreshes what readers see at the display rate."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from aggregator.domain.book import Health
from aggregator.domain.effects import Effect, HealthChanged, ResyncWanted, VenueRefused
from aggregator.engine.views import Views

log = logging.getLogger("aggregator.health")

Resync = Callable[[str, str], Awaitable[None]]
"""Asks a venue for one symbol anew, for a reason."""


class Dispatcher:
    """`resyncs` holds, per venue, how one of its books is asked for anew."""

    def __init__(self, views: Views, resyncs: Mapping[str, Resync], rate_per_second: int) -> None:
        self._views = views
        self._resyncs = resyncs
        self._pause_s = 1 / rate_per_second
        self._wanted: dict[tuple[str, str], str] = {}
        self._is_wanted = asyncio.Event()
        self.health_changes: dict[tuple[str, Health], int] = {}

    def carry_out(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, ResyncWanted):
                # Not asked from here: the answer's events go to the inbox, which waits for whoever calls this.
                self._wanted[effect.venue, effect.symbol] = effect.reason
                self._is_wanted.set()
            elif isinstance(effect, VenueRefused):
                self._tell_refusal(effect)
            elif isinstance(effect, HealthChanged):
                self._tell(effect)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._refresh())
            while True:
                await self._is_wanted.wait()
                self._is_wanted.clear()
                wanted, self._wanted = self._wanted, {}
                for (venue, symbol), reason in wanted.items():
                    await self._resyncs[venue](symbol, reason)

    async def _refresh(self) -> None:
        while True:
            self._views.refresh()
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

    def _tell_refusal(self, refusal: VenueRefused) -> None:
        about = f" about {refusal.instrument}" if refusal.instrument else ""
        log.warning("%s said no%s: %s", refusal.venue, about, refusal.reason, extra={"venue": refusal.venue})
