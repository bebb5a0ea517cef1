"""The only loop that applies events to the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from aggregator.domain.effects import Effect
from aggregator.domain.events import Event, Tick
from aggregator.engine.engine import Engine

INBOX_AT_MOST = 10_000
"""Batches that wait. When the inbox is full, whoever posts waits: no event is dropped, the sockets are read
more slowly, and the lag shows."""

TICK_S = 0.1

BREATHE_EVERY = 256
"""Batches after which everyone else gets a turn, even while the inbox is not empty."""


class Runner:
    """Takes batches of events in the order of their posting; `carry_out` is handed the effects of each event."""

    def __init__(
        self,
        engine: Engine,
        clock_ns: Callable[[], int],
        carry_out: Callable[[Sequence[Effect]], None],
    ) -> None:
        self._engine = engine
        self._clock_ns = clock_ns
        self._carry_out = carry_out
        self._inbox: asyncio.Queue[Sequence[Event]] = asyncio.Queue(INBOX_AT_MOST)
        self.applied = 0
        """Batches since the start."""

    @property
    def waiting(self) -> int:
        """Batches in the inbox."""
        return self._inbox.qsize()

    async def post(self, events: Sequence[Event]) -> None:
        try:
            self._inbox.put_nowait(events)
        except asyncio.QueueFull:
            await self._inbox.put(events)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tick())
            while True:
                self._apply(await self._inbox.get())
                if self.applied % BREATHE_EVERY == 0:
                    await asyncio.sleep(0)

    def drain(self) -> None:
        """Apply what is still waiting: the last step of an orderly stop."""
        while not self._inbox.empty():
            self._apply(self._inbox.get_nowait())

    def _apply(self, events: Sequence[Event]) -> None:
        self.applied += 1
        for event in events:
            effects = self._engine.apply(event)
            if effects:
                self._carry_out(effects)

    async def _tick(self) -> None:
        while True:
            await self.post((Tick(self._clock_ns()),))
            await asyncio.sleep(TICK_S)
