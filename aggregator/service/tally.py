"""What the order side has done since the start, counted as it happens: a state does not remember it for ever."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from decimal import Decimal

from aggregator.domain.instrument import Side
from aggregator.domain.lifecycle import ChildState
from aggregator.domain.numbers import format_decimal
from aggregator.domain.order import ChildOrder, ParentOrder
from aggregator.domain.order_events import ExecutionReport, FillReported, OrderEvent, OrderRequested
from aggregator.domain.plan import AVERAGE_DECIMALS
from aggregator.engine.orders import Orders
from aggregator.routing.execution import average_price

ENDED_REMEMBERED = 1000
"""Orders that have ended, so that what a venue tells of them later does not count them twice."""

BPS_ONE = 10_000


@dataclass(slots=True)
class Summed:
    """How many of something there were, and what they come to together."""

    count: int = 0
    total: Decimal = Decimal()

    def add(self, value: Decimal) -> None:
        self.count += 1
        self.total += value


class Tally:
    """`fills` and `rejects` by venue. `planning_ns` is the time that it took to apply events for which the market was
    looked at. `gaps` and `savings` are those of the first plan of each order, in bps. Of orders that have ended,
    `slippages` are how much worse than its first plan each was filled, in bps, and `fill_ratios` which part was."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self.fills: Counter[str] = Counter()
        self.rejects: Counter[str] = Counter()
        self.planning_ns = Summed()
        self.gaps = Summed()
        self.savings = Summed()
        self.slippages = Summed()
        self.fill_ratios = Summed()
        self._ended: deque[str] = deque(maxlen=ENDED_REMEMBERED)

    def applied(self, event: OrderEvent, looks: int, took_ns: int) -> None:
        """Right after the engine has applied it."""
        match event:
            case FillReported(fill=fill):
                child = self._child(fill.child_id)
                self._looked_after(fill.child_id)
                # The same fill told again is not the one that was kept.
                if child is not None and child.fills.get(fill.fill_id) is fill:
                    self.fills[fill.venue] += 1
            case ExecutionReport(child_id=child_id, venue=venue, received_ns=received_ns):
                child = self._child(child_id)
                self._looked_after(child_id)
                if child is not None and (child.state, child.since_ns) == (ChildState.REJECTED, received_ns):
                    self.rejects[venue] += 1
        if looks:
            self.planning_ns.add(Decimal(took_ns))
            if isinstance(event, OrderRequested):
                self._planned(self._orders.find(event.terms.account, event.terms.client_order_id))

    def _looked_after(self, child_id: str) -> None:
        """Count the child's parent if it has just ended."""
        parent = self._orders.state.parent(child_id.rpartition("-")[0])
        if parent is None or parent.is_open or parent.order_id in self._ended:
            return
        self._ended.append(parent.order_id)
        self.fill_ratios.add(Decimal(parent.filled) / parent.quantity)
        planned = Decimal(parent.plans[0]["average_price"] or 0) if parent.plans else Decimal()
        got = average_price(parent, AVERAGE_DECIMALS)
        if planned and got is not None:
            decimals = parent.terms.instrument.price_decimals + AVERAGE_DECIMALS
            worse = Decimal(format_decimal(got, decimals)) - planned
            self.slippages.add((worse if parent.terms.side is Side.BUY else -worse) / planned * BPS_ONE)

    def _child(self, child_id: str) -> ChildOrder | None:
        parent = self._orders.state.parent(child_id.rpartition("-")[0])
        return parent.children.get(child_id) if parent is not None else None

    def _planned(self, parent: ParentOrder | None) -> None:
        if parent is None or not parent.plans:
            return
        self.gaps.add(Decimal(parent.plans[0]["optimality_gap_bps"]))
        saving = parent.plans[0]["saving_bps"]
        if saving is not None:
            self.savings.add(Decimal(saving))
