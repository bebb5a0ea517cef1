"""What the metrics of the order side say, beside what has happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aggregator.domain.effects import Effect, PlaceChild
from aggregator.domain.lifecycle import Word
from aggregator.domain.order import ChildTerms, Fill, Liquidity, base_money, quote_money
from aggregator.domain.order_events import (
    About,
    Balance,
    BalancesRead,
    ExecutionReport,
    FillReported,
    HaltSwitched,
    OpenOrdersRead,
    OrderEvent,
    OrderRequested,
    Started,
)
from aggregator.service.order_metrics import OrderCollector
from aggregator.service.runner import Runner
from tests.engine.plain_venues import BTC, ONE, SECOND, START_NS, VENUES, engine_with_books, order_terms


class Desk:
    """A runner without a journal, whose venues say what the test says."""

    def __init__(self) -> None:
        self.engine = engine_with_books(START_NS)
        self.effects: list[Effect] = []
        self.now_ns = START_NS
        self.runner = Runner(self.engine, lambda: self.now_ns, self._carry_out)

    async def start(self, *venues: str) -> Desk:
        plenty = {
            "BTC": Balance(base_money(BTC, 1000 * ONE), 0),
            "USDT": Balance(quote_money(BTC, BTC.notional("1e8")), 0),
        }
        await self.tell(Started(START_NS, "abc123", VENUES))
        for venue in venues or VENUES:
            await self.tell(BalancesRead(venue, START_NS, plenty), OpenOrdersRead(venue, START_NS, ()))
        return self

    async def tell(self, *events: OrderEvent) -> None:
        await self.runner.post(events)
        self.runner.drain()

    async def place(self, client_order_id: str) -> ChildTerms:
        """Its first child."""
        await self.tell(OrderRequested(self.now_ns, order_terms(client_order_id)))
        return [effect.terms for effect in self.effects if isinstance(effect, PlaceChild)][-1]

    async def report(self, child: ChildTerms, word: Word) -> None:
        self.now_ns += 1
        reported = ExecutionReport(child.venue, child.child_id, BTC, self.now_ns, word, About.PLACE, word.value, 0)
        await self.tell(reported)

    async def fill(self, child: ChildTerms, fill_id: str) -> None:
        self.now_ns += 1
        fill = Fill(
            child.venue, child.child_id, BTC, fill_id, child.side, child.limit_price, child.quantity // 4, 0, "BTC",
            Liquidity.TAKER, self.now_ns, self.now_ns,
        )  # fmt: skip
        await self.tell(FillReported(self.now_ns, fill))

    def metrics(self, **alarms: int) -> dict[tuple[str, ...], Any]:
        """By name and the values of the labels."""
        collector = OrderCollector(self.engine.orders, self.runner.tally, alarms, None, lambda: self.now_ns)
        return {
            (sample.name.removeprefix("aggregator_"), *sample.labels.values()): sample.value
            for metric in collector.collect()
            for sample in metric.samples
        }

    def _carry_out(self, effects: Sequence[Effect]) -> None:
        self.effects += effects


async def test_fills_and_rejects_are_counted_once_however_often_they_are_told() -> None:
    desk = await Desk().start()
    filled = await desk.place("one")
    for fill_id in ("a", "a", "b"):
        await desk.fill(filled, fill_id)
    rejected = await desk.place("two")
    await desk.report(rejected, Word.REJECTED)
    await desk.report(rejected, Word.REJECTED)
    told = desk.metrics()
    assert told["fills_total", filled.venue] == 2
    assert told["rejects_total", rejected.venue] == 1


async def test_fills_and_rejects_of_what_is_not_ours_are_not_counted() -> None:
    desk = await Desk().start()
    child = await desk.place("one")
    stranger = ChildTerms("zzzzzz0000000000-001", "zzzzzz0000000000", *child_terms(child))
    await desk.fill(stranger, "a")
    await desk.report(stranger, Word.REJECTED)
    assert not [key for key in desk.metrics() if key[0] in ("fills_total", "rejects_total")]


def child_terms(child: ChildTerms) -> tuple[Any, ...]:
    return (
        child.venue, child.symbol, child.instrument, child.side, child.quantity, child.limit_price, child.time_in_force
    )  # fmt: skip


async def test_children_are_counted_by_state_and_the_oldest_doubt_has_its_age() -> None:
    desk = await Desk().start()
    assert desk.metrics()["oldest_unknown_age_seconds",] == 0
    first = await desk.place("one")
    await desk.report(first, Word.IN_DOUBT)
    desk.now_ns += 7 * SECOND
    second = await desk.place("two")
    await desk.report(second, Word.IN_DOUBT)
    desk.now_ns += SECOND
    told = desk.metrics()
    unknown = sum(value for key, value in told.items() if key[0] == "live_children" and key[2] == "unknown")
    assert unknown == 2
    assert told["live_children", VENUES[0], "working"] == 0
    assert told["open_parents",] == 2
    assert 8 <= told["oldest_unknown_age_seconds",] < 8.001


async def test_each_order_that_was_planned_counts_and_one_asked_for_again_does_not() -> None:
    desk = await Desk().start()
    await desk.place("one")
    await desk.place("one")
    told = desk.metrics()
    assert (told["planning_seconds_count",], told["plan_gap_bps_count",]) == (1, 1)
    assert told["planning_seconds_sum",] > 0
    plan = next(iter(desk.engine.orders.parents.values())).plans[0]
    assert told["plan_saving_bps_sum",] == float(plan["saving_bps"] or 0)


async def test_a_halt_and_a_venue_that_is_not_reconciled_show() -> None:
    desk = await Desk().start(VENUES[0])
    await desk.tell(HaltSwitched(desk.now_ns, is_halted=True, by="ops", reason="a test"))
    told = desk.metrics(balance_differs=3)
    assert told["halted",] == 1
    assert [told["venue_reconciled", venue] for venue in VENUES] == [1, *[0] * (len(VENUES) - 1)]
    assert told["alarms_total", "balance_differs"] == 3
