"""`kill -9`, again and again, in the middle of a busy run on faulty venues: nothing is lost, and nothing is done twice.

The venues live in the test's own process and go on while the service is dead. AGGREGATOR_LONG_RUN=1 kills more often.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from aggregator.api.client import Answered, Unreachable
from aggregator.domain.effects import Alarm, Effect, ParentChanged, PlaceChild
from aggregator.domain.instrument import Instruments
from aggregator.domain.lifecycle import ChildState, ending
from aggregator.domain.order import ChildOrder, ParentOrder
from aggregator.domain.order_events import OrderEvent, Started
from aggregator.engine.digest import orders_sha256
from aggregator.engine.engine import Engine
from aggregator.service.journal_entries import effects_sha256
from aggregator.service.journal_file import JournalReader
from aggregator.service.recovery import recover
from tests.lives import VENUES, House, housed, until

KILLS = 60 if os.environ.get("AGGREGATOR_LONG_RUN") else 4
CLIENTS = 3
READY_PATIENCE_S = 5
"""A venue with a child that never came there is not reconciled for 15 s; the next kill does not wait for that."""

RESTING_AT_MOST = 5
"""Orders of one client; each is asked after by its id at every start, as fast as its venue allows."""

BACK_OFF_S = 0.2
"""Before the next request, after one that was refused because venues are not reconciled yet."""

NO_ANSWER = {"request_expired", "request_repeated", "journal_failed"}
"""The request was not looked at, so it is made again."""

NEVER_THERE = {ChildState.REJECTED, ChildState.NOT_SENT, ChildState.MISSING}

FAULTS: Sequence[Mapping[str, Any]] = (
    {"name": "order_reply_lost", "probability": 0.3},
    {"name": "order_5xx", "probability": 0.3},
    {"name": "order_timeout", "ns": 400_000_000, "probability": 0.3},
    {"name": "fill_before_ack", "ns": 300_000_000},
    {"name": "late_order", "ns": 700_000_000, "probability": 0.2},
    {"name": "reject_after_ack", "probability": 0.2},
    {"name": "order_refused_5xx", "count": 1},
    {"name": "order_lost", "count": 1},
    {"name": "double_report"},
    {"name": "private_silent"},
    {"name": "private_disconnect", "count": 3},
)


class Client:
    """Asks for one thing after the other, and repeats each until it has an answer; at times it repeats one that was
    answered, in this life of the service or before."""

    def __init__(self, house: House, number: int, random: Random) -> None:
        self._house = house
        self._number = number
        self._random = random
        self._resting: list[str] = []
        self._requests: deque[dict[str, Any]] = deque(maxlen=20)
        self.answers: dict[str, set[str]] = {}
        """By client order id, the order ids that the service ever named for it."""
        self.refusals: Counter[str] = Counter()
        """By code."""

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self._place(self._new_request())
            if self._random.random() < 0.2:
                await self._place(self._random.choice(self._requests))
            if len(self._resting) > RESTING_AT_MOST or (self._resting and self._random.random() < 0.3):
                await self._change(self._random.choice(self._resting))
            await asyncio.sleep(self._random.random() / 50)

    def _new_request(self) -> dict[str, Any]:
        client_order_id = f"c{self._number}-{len(self.answers)}"
        self.answers[client_order_id] = set()
        self._requests.append({"client_order_id": client_order_id, **self._terms()})
        return self._requests[-1]

    async def _place(self, request: dict[str, Any]) -> None:
        client_order_id = request["client_order_id"]
        try:
            order = await self._until_answered(lambda: self._house.api.place(request))
            self.answers[client_order_id].add(order["order_id"])
            if order["time_in_force"] == "GTC" and client_order_id not in self._resting:
                self._resting.append(client_order_id)
        except Answered as refusal:
            self.refusals[refusal.code] += 1
            if refusal.code == "reconciling":
                await asyncio.sleep(BACK_OFF_S)
        kept = await self._until_answered(lambda: self._house.api.order(f"client:{client_order_id}"))
        self.answers[client_order_id].add(kept["order_id"])

    async def _change(self, client_order_id: str) -> None:
        order = f"client:{client_order_id}"
        with suppress(Answered):  # it may have ended by itself
            if self._random.random() < 0.5:
                changes = {"quantity": f"0.{self._random.randrange(10, 60)}"}
                await self._until_answered(lambda: self._house.api.amend(order, changes))
            else:
                self._resting.remove(client_order_id)
                await self._until_answered(lambda: self._house.api.cancel(order))

    def _terms(self) -> dict[str, Any]:
        """Small and large, some that rest, at prices around those that the simulated markets begin with."""
        random = self._random
        side = random.choice(["buy", "sell"])
        terms: dict[str, Any] = {"symbol": "BTC/USDT", "side": side, "quantity": f"0.{random.randrange(1, 99):02}"}
        terms["venues"] = random.choice([None, None, random.sample(VENUES, 2)])
        kind = random.randrange(4)
        if kind == 0:
            return {**terms, "type": "market", "time_in_force": "IOC"}
        away = 1 - random.choice([2, 40]) / 1000 if side == "buy" else 1 + random.choice([2, 40]) / 1000
        terms |= {"type": "limit", "limit_price": str(int(self.mid * away))}
        if kind == 1:
            return {**terms, "time_in_force": random.choice(["IOC", "FOK"])}
        return {**terms, "time_in_force": "GTC", "post_only": kind == 2}

    mid = 0
    """Only to choose prices by."""

    async def _until_answered(self, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        while True:
            try:
                return await asyncio.to_thread(ask)
            except Unreachable:
                pass
            except Answered as answer:
                if answer.code not in NO_ANSWER:
                    raise
            await asyncio.sleep(0.01)


class Replayed:
    """The journal from its first entry on in a fresh engine, each entry held to what it came to then. What the service
    itself has forgotten is known here."""

    def __init__(self, path: Path) -> None:
        self.engine = Engine()
        self.parents: dict[str, ParentOrder] = {}
        self.placed: list[str] = []
        self.alarms: list[Alarm] = []
        self.starts = self.live_at_starts = 0
        instruments = Instruments()
        with JournalReader(path) as reader:
            for entry in reader.read():
                event, seen = entry.restored(instruments)
                self._before(event)
                effects = self.engine.replay(event, seen)
                assert effects_sha256(effects) == entry.effects, f"entry {entry.seq} came to something else"
                self._take(effects)
            snapshot = reader.latest_snapshot()
            self.last_seq = reader.last_seq()
        assert snapshot is not None
        self.snapshot = snapshot
        self.digest = orders_sha256(self.engine.orders.document())

    @property
    def children(self) -> dict[str, ChildOrder]:
        return {child_id: child for parent in self.parents.values() for child_id, child in parent.children.items()}

    def _before(self, event: OrderEvent) -> None:
        if isinstance(event, Started):
            self.starts += 1
            self.live_at_starts += len(list(self.engine.orders.state.live_children()))

    def _take(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, ParentChanged):
                self.parents[effect.order_id] = self.engine.orders.parents[effect.order_id]
            elif isinstance(effect, PlaceChild):
                self.placed.append(effect.terms.child_id)
            elif isinstance(effect, Alarm):
                self.alarms.append(effect)


async def test_a_service_that_is_killed_again_and_again_loses_nothing_and_does_nothing_twice(tmp_path: Path) -> None:
    random = Random(20)
    async with housed(tmp_path / "service", seed=20) as house:
        clients = [Client(house, number, Random(number)) for number in range(CLIENTS)]
        stop, life = asyncio.Event(), await house.begin()
        await until(house.is_ready)
        best = await asyncio.to_thread(house.api.book, "BTC/USDT", 1, "gross")
        Client.mid = int(float(best["asks"][0][0]))
        working = [asyncio.create_task(client.run(stop)) for client in clients]
        try:
            for _ in range(KILLS):
                await fail(house, random)
                await busy(clients, working, random.randrange(1, 60))
                await life.kill()
                if random.random() < 0.3:
                    await house.begin_and_kill(random.random())
                life = await house.begin()
                if random.random() < 0.7:
                    with suppress(TimeoutError):
                        await until(house.is_ready, READY_PATIENCE_S)
            await house.no_faults()
            await until(house.is_ready)
            await busy(clients, working, 10)
        finally:
            stop.set()
            await asyncio.gather(*working)
        await end_all(house)
        assert await life.stop() == 0, life.told
        hold_together(house, clients)


async def fail(house: House, random: Random) -> None:
    """Two new faults at each venue, chosen at random."""
    await house.no_faults()
    for venue in VENUES:
        for fault in random.sample(FAULTS, 2):
            await house.fault(venue, **fault)


async def busy(clients: Sequence[Client], working: Sequence[asyncio.Task[None]], answers: int) -> None:
    """Until the clients have got so many answers more."""

    async def has_enough() -> bool:
        for task in working:
            if task.done():
                task.result()
        return sum(len(client.answers) for client in clients) >= enough

    enough = sum(len(client.answers) for client in clients) + answers
    await until(has_enough)


async def end_all(house: House) -> None:
    async def is_all_ended() -> bool:
        answer = await asyncio.to_thread(house.api.cancel_all)
        return not answer["still_open"]

    await until(is_all_ended)
    answer = await asyncio.to_thread(house.api.orders, "open")
    assert answer["orders"] == []


def hold_together(house: House, clients: Sequence[Client]) -> None:
    """What the clients were told, what the journal has, and what the venues have."""
    journal = Replayed(house.journal)
    assert journal.starts == KILLS + 1
    assert journal.live_at_starts > 0, "no kill met a child on its way"
    every_request_has_one_parent(clients, journal)
    every_child_is_as_its_venue_has_it(house, journal)
    balances_are_those_of_the_venues(house, journal)
    the_journal_leads_to_the_state_that_the_service_had(house, journal)
    assert not journal.engine.orders.state.open
    assert journal.alarms == []


def every_request_has_one_parent(clients: Sequence[Client], journal: Replayed) -> None:
    asked = {name: order_ids for client in clients for name, order_ids in client.answers.items()}
    made: dict[str, list[str]] = {}
    for order_id, parent in journal.parents.items():
        made.setdefault(parent.terms.client_order_id, []).append(order_id)
    assert made == {name: list(order_ids) for name, order_ids in asked.items()}
    assert sum(bool(parent.children) for parent in journal.parents.values()) > KILLS


def every_child_is_as_its_venue_has_it(house: House, journal: Replayed) -> None:
    assert len(journal.placed) == len(set(journal.placed)), "a child left twice"
    known = journal.children
    assert set(known) == set(journal.placed)
    found: set[str] = set()
    for venue, account in house.venues.accounts.items():
        for order in account.all_orders():
            child_id = order.client_id.removeprefix("t-")  # Gate.io wants our ids to begin like that
            assert child_id not in found, f"{venue} has {child_id} twice, or another venue has it too"
            found.add(child_id)
            child = known[child_id]
            assert (child.terms.venue, child.filled, order.is_open) == (venue, order.filled, False), (child, order)
            is_rejected = child.state is ChildState.REJECTED and order.refusal is not None and not order.filled
            assert is_rejected or child.state is ending(order.filled, order.quantity), (child, order)
    for child_id in known.keys() - found:
        assert (known[child_id].state in NEVER_THERE, known[child_id].filled) == (True, 0), known[child_id]


def balances_are_those_of_the_venues(house: House, journal: Replayed) -> None:
    for venue, account in house.venues.accounts.items():
        expected = journal.engine.orders.state.venues[venue].expected
        truth = {asset: free + held for asset, (free, held) in account.balances().items()}
        assert {asset: expected.get(asset, 0) for asset in truth} == truth, venue


def the_journal_leads_to_the_state_that_the_service_had(house: House, journal: Replayed) -> None:
    """The last life left a snapshot of its own state when it was stopped in order."""
    assert (journal.snapshot.seq, journal.snapshot.digest) == (journal.last_seq, journal.digest)
    again = Engine()
    with JournalReader(house.journal) as reader:
        assert recover(reader, again, Instruments()) == journal.last_seq
    assert orders_sha256(again.orders.document()) == journal.digest
