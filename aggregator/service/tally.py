"""What the order side has done since the start, counted as it happens: a state does not remember it for ever."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

from aggregator.domain.lifecycle import ChildState
from aggregator.domain.order import ChildOrder, ParentOrder
from aggregator.domain.order_events import ExecutionReport, FillReported, OrderEvent, OrderRequested
from aggregator.engine.orders import Orders


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
    looked at. `gaps` and `savings` are those of the first plan of each order, in bps."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self.fills: Counter[str] = Counter()
        self.rejects: Counter[str] = Counter()
        self.planning_ns = Summed()
        self.gaps = Summed()
        self.savings = Summed()

    def applied(self, event: OrderEvent, looks: int, took_ns: int) -> None:
        """Right after the engine has applied it."""
        match event:
            case FillReported(fill=fill):
                child = self._child(fill.child_id)
                # The same fill told again is not the one that was kept.
                if child is not None and child.fills.get(fill.fill_id) is fill:
                    self.fills[fill.venue] += 1
            case ExecutionReport(child_id=child_id, venue=venue, received_ns=received_ns):
                child = self._child(child_id)
                if child is not None and (child.state, child.since_ns) == (ChildState.REJECTED, received_ns):
                    self.rejects[venue] += 1
        if looks:
            self.planning_ns.add(Decimal(took_ns))
            if isinstance(event, OrderRequested):
                self._planned(self._orders.find(event.terms.account, event.terms.client_order_id))

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
