"""The only loop that applies events to the engine."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter_ns
from typing import NamedTuple, cast

from aggregator.domain.effects import Effect
from aggregator.domain.errors import JournalFailed
from aggregator.domain.events import Event, Tick, Trade
from aggregator.domain.order_events import OrderEvent, Timer
from aggregator.engine.digest import orders_sha256
from aggregator.engine.engine import ORDER_EVENTS, Engine
from aggregator.service.journal import Journal
from aggregator.service.tally import Tally

INBOX_AT_MOST = 10_000
"""Batches that wait. When the inbox is full, whoever posts waits: no event is dropped, the sockets are read
more slowly, and the lag shows."""

TICK_S = 0.1

BREATHE_EVERY = 256
"""Batches after which everyone else gets a turn, even while the inbox is not empty."""

SNAPSHOT_EVERY = 20_000
"""Journal entries between two snapshots, and so the most that a recovery has to replay."""

Answer = asyncio.Future[Sequence[Effect]]


@dataclass(frozen=True, slots=True)
class _Asked:
    """An order-side event that somebody waits for."""

    event: OrderEvent
    answer: Answer


class _Outcome(NamedTuple):
    """What came of an order-side event, once it is durable, or why it never will be."""

    effects: Sequence[Effect]
    answer: Answer | None
    failure: JournalFailed | None


NOT_OF_BOOKS = ORDER_EVENTS | {Tick, Trade}


class Runner:
    """Takes batches of events in the order of their posting; `carry_out` is handed the effects of each event, of an
    order-side one only once the journal has it on disk.

    Without a journal nothing is waited for: that is for watching, and for replays. When the journal has failed, no
    order-side event is applied any more, so that nothing is shown that a new start would not know; the market goes on.
    `traded` is told of public trades, which the engine does not keep.
    """

    def __init__(
        self,
        engine: Engine,
        clock_ns: Callable[[], int],
        carry_out: Callable[[Sequence[Effect]], None],
        journal: Journal | None = None,
        snapshot_every: int = SNAPSHOT_EVERY,
        traded: Callable[[Trade], None] | None = None,
    ) -> None:
        self._engine = engine
        self._clock_ns = clock_ns
        self._carry_out = carry_out
        self._journal = journal
        self._snapshot_every = snapshot_every
        self._traded = traded
        self._inbox: asyncio.Queue[Sequence[Event | OrderEvent] | _Asked] = asyncio.Queue(INBOX_AT_MOST)
        self._outcomes: deque[_Outcome] = deque()
        self._has_outcomes = asyncio.Event()
        self.applied = 0
        """Batches since the start."""
        self.tally = Tally(engine.orders)

    @property
    def waiting(self) -> int:
        """Batches in the inbox."""
        return self._inbox.qsize()

    async def post(self, events: Sequence[Event | OrderEvent]) -> None:
        await self._put(events)

    async def ask(self, event: OrderEvent) -> Sequence[Effect]:
        """Post one event, and return its effects once it is durable and they are handed on. Raises JournalFailed when
        it cannot be made durable; then it has had no effect outside."""
        answer: Answer = asyncio.get_running_loop().create_future()
        await self._put(_Asked(event, answer))
        return await answer

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tick())
            tasks.create_task(self._hand_out_always())
            while True:
                self._apply(await self._inbox.get())
                if self._journal is not None and self._journal.is_full:
                    await self._journal.wait_for_room()
                if self.applied % BREATHE_EVERY == 0:
                    await asyncio.sleep(0)

    def drain(self) -> None:
        """Apply what is still waiting: a step of an orderly stop."""
        while not self._inbox.empty():
            self._apply(self._inbox.get_nowait())

    async def settle(self) -> None:
        """Wait until all that was applied is durable, and hand out what came of it: the last step of an orderly
        stop. The snapshot that it leaves saves the next start the replay."""
        journal = self._journal
        if journal is not None:
            await journal.flush()
            if journal.failure is None and journal.last_seq > journal.snapshot_seq:
                self._snapshot(journal)
        self._hand_out()

    async def _put(self, batch: Sequence[Event | OrderEvent] | _Asked) -> None:
        try:
            self._inbox.put_nowait(batch)
        except asyncio.QueueFull:
            await self._inbox.put(batch)

    def _apply(self, batch: Sequence[Event | OrderEvent] | _Asked) -> None:
        self.applied += 1
        if isinstance(batch, _Asked):
            self._apply_journaled(batch.event, batch.answer)
            return
        for event in batch:
            if type(event) in NOT_OF_BOOKS:
                self._apply_apart(event)
                continue
            effects = self._engine.apply(event)
            if effects:
                self._carry_out(effects)

    def _apply_apart(self, event: Event | OrderEvent) -> None:
        if isinstance(event, Tick):
            self._apply_tick(event)
        elif isinstance(event, Trade):
            if self._traded is not None:
                self._traded(event)
        else:
            self._apply_journaled(cast(OrderEvent, event), None)

    def _apply_tick(self, tick: Tick) -> None:
        effects = self._engine.apply(tick)
        if effects:
            self._carry_out(effects)
        wake_ns = self._engine.orders.wake_at_ns()
        if wake_ns is not None and wake_ns <= tick.now_ns:
            self._apply_journaled(Timer(tick.now_ns), None)

    def _apply_journaled(self, event: OrderEvent, answer: Answer | None) -> None:
        journal = self._journal
        if journal is not None and journal.failure is not None:
            self._keep((), answer, journal.failure)
            return
        began_ns = perf_counter_ns()
        effects = self._engine.apply(event)
        seen = self._engine.take_seen()
        self.tally.applied(event, len(seen), perf_counter_ns() - began_ns)
        if journal is None:
            self._keep(effects, answer, None)
            self._hand_out()
            return
        seq = journal.append(event, seen, effects, partial(self._keep, effects, answer))
        if seq - journal.snapshot_seq >= self._snapshot_every:
            self._snapshot(journal)

    def _snapshot(self, journal: Journal) -> None:
        document = self._engine.orders.document()
        journal.snapshot(journal.last_seq, document, orders_sha256(document))

    def _keep(self, effects: Sequence[Effect], answer: Answer | None, failure: JournalFailed | None) -> None:
        """What is carried out here may raise, which is for `run` to raise, not for whoever tells of durability."""
        self._outcomes.append(_Outcome(effects, answer, failure))
        self._has_outcomes.set()

    async def _hand_out_always(self) -> None:
        while True:
            await self._has_outcomes.wait()
            self._has_outcomes.clear()
            self._hand_out()

    def _hand_out(self) -> None:
        while self._outcomes:
            effects, answer, failure = self._outcomes.popleft()
            if effects and failure is None:
                self._carry_out(effects)
            if answer is None or answer.done():  # whoever asked may have gone
                continue
            if failure is None:
                answer.set_result(effects)
            else:
                answer.set_exception(JournalFailed(str(failure)))

    async def _tick(self) -> None:
        while True:
            await self.post((Tick(self._clock_ns()),))
            await asyncio.sleep(TICK_S)
