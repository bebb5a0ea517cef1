"""The metrics of the order side, read from its state when someone scrapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from aggregator.domain.lifecycle import ENDED_STATES, ChildState
from aggregator.engine.orders import Orders
from aggregator.service.journal import Journal
from aggregator.service.metrics import NS, gauge
from aggregator.service.tally import Summed, Tally

LIVE_STATES = [state for state in ChildState if state not in ENDED_STATES]


class OrderCollector(Collector):
    """`alarms` counts them by code since the start."""

    def __init__(
        self,
        orders: Orders,
        tally: Tally,
        alarms: Mapping[str, int],
        journal: Journal | None,
        clock_ns: Callable[[], int],
    ) -> None:
        self._orders = orders
        self._tally = tally
        self._alarms = alarms
        self._journal = journal
        self._clock_ns = clock_ns

    def collect(self) -> Iterator[Metric]:
        orders = self._orders
        yield gauge("aggregator_open_parents", "Parent orders that have not ended.", len(orders.state.open))
        yield gauge("aggregator_halted", "1 while nothing new may leave, by the kill switch.", orders.is_halted)
        yield from self._children()
        yield from self._venues()
        yield from self._since_the_start()
        yield from self._journaled()

    def _children(self) -> Iterator[Metric]:
        live = list(self._orders.state.live_children())
        counts = Counter((child.terms.venue, child.state) for child in live)
        children = GaugeMetricFamily(
            "aggregator_live_children", "Children that have not ended, by venue and state.", labels=("venue", "state")
        )
        for venue in self._orders.state.venues:
            for state in LIVE_STATES:
                children.add_metric((venue, state.value), counts[venue, state])
        yield children
        doubted = [child.since_ns for child in live if child.state is ChildState.UNKNOWN]
        age_ns = self._clock_ns() - min(doubted) if doubted else 0
        text = "How long the oldest child whose outcome is unknown has been in doubt; 0 when none is."
        yield gauge("aggregator_oldest_unknown_age_seconds", text, age_ns / NS)

    def _venues(self) -> Iterator[Metric]:
        reconciled = GaugeMetricFamily(
            "aggregator_venue_reconciled",
            "1 for a venue whose balances and orders are known, 0 for one that takes nothing new until they are.",
            labels=("venue",),
        )
        for venue, account in self._orders.state.venues.items():
            reconciled.add_metric((venue,), account.is_reconciled)
        yield reconciled

    def _since_the_start(self) -> Iterator[Metric]:
        tally = self._tally
        counted: tuple[tuple[str, str, str, Mapping[str, int]], ...] = (
            ("aggregator_fills", "Fills of ours, each once.", "venue", tally.fills),
            ("aggregator_rejects", "Children that their venue rejected.", "venue", tally.rejects),
            ("aggregator_alarms", "What contradicts the order side, by code.", "code", self._alarms),
        )
        for name, text, label, counts in counted:
            counter = CounterMetricFamily(name, text, labels=(label,))
            for key, count in counts.items():
                counter.add_metric((key,), count)
            yield counter
        planning = "Time that it took to apply events for which the market was looked at and planned on."
        yield _summary("aggregator_planning_seconds", planning, tally.planning_ns, NS)
        yield _summary("aggregator_plan_gap_bps", "How far first plans may be from the best ones.", tally.gaps)
        worse = "How much worse than its first plan each order was filled that has ended; less than 0 is better."
        yield _summary("aggregator_order_slippage_bps", worse, tally.slippages)
        yield _summary(
            "aggregator_order_fill_ratio", "Which part was filled of each order that has ended.", tally.fill_ratios
        )
        yield _summary("aggregator_plan_saving_bps", "What first plans save against one venue.", tally.savings)

    def _journaled(self) -> Iterator[Metric]:
        journal = self._journal
        if journal is None:
            return
        yield gauge("aggregator_journal_last_seq", "Number of the newest entry.", journal.last_seq)
        text = "Number of the newest entry that is on disk; what the later ones caused has not left yet."
        yield gauge("aggregator_journal_durable_seq", text, journal.durable_seq)
        yield gauge("aggregator_journal_waiting", "Entries that are not on disk yet.", journal.waiting)
        text = "1 when the journal cannot be written: no order is taken any more."
        yield gauge("aggregator_journal_failed", text, journal.failure is not None)


def _summary(name: str, text: str, summed: Summed, unit: int = 1) -> Metric:
    return SummaryMetricFamily(name, text, count_value=summed.count, sum_value=float(summed.total / unit))
