"""What one event brings about, collected while it is applied."""

from __future__ import annotations

from collections import deque

from aggregator.domain.effects import OrderEffect, ParentChanged
from aggregator.domain.local import LOCAL_VENUE
from aggregator.domain.order import ParentOrder
from aggregator.engine.local_venue import LocalRequest
from aggregator.routing.record import Seen


class Turn:
    """`seen` is what was looked at in it; it is taken by whoever writes the event down. What is asked of the local
    venue does not leave: it waits in `asked_locally` and is answered within the turn."""

    def __init__(self) -> None:
        self.effects: list[OrderEffect] = []
        self.asked_locally: deque[LocalRequest] = deque()
        self.seen: list[Seen] = []
        self._touched: dict[str, None] = {}

    def begin(self) -> None:
        self.effects, self._touched = [], {}

    def tell(self, effect: OrderEffect) -> None:
        if isinstance(effect, LocalRequest) and effect.terms.venue == LOCAL_VENUE:
            self.asked_locally.append(effect)
        else:
            self.effects.append(effect)

    def touch(self, parent: ParentOrder, now_ns: int) -> None:
        """It is not as it was; watchers are told once, at the end."""
        parent.updated_ns = now_ns
        self._touched[parent.order_id] = None

    def end(self) -> list[OrderEffect]:
        self.effects += [ParentChanged(order_id) for order_id in self._touched]
        return self.effects
