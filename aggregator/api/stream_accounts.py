"""What the stream tells an account of its own orders and fills."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Protocol

from aggregator.api.order_documents import fill_document, fills_of, id_of, parent_document
from aggregator.api.order_lookup import is_of
from aggregator.domain.order import Fill, ParentOrder

ENDED_SHOWN = 50
"""Orders that have ended, in a snapshot."""

FILLS_SHOWN = 50
"""Fills in a snapshot."""

FORGET_EVERY = 1000
"""New orders after which those that the engine has forgotten are forgotten here."""


class Parents(Protocol):
    """The orders that are kept, by order id."""

    @property
    def parents(self) -> Mapping[str, ParentOrder]: ...


class Own:
    """The orders of one account or of all, of one instrument or of any."""

    def __init__(self, orders: Parents, account: str, symbol: str) -> None:
        self._orders = orders
        self._account = account
        self._symbol = symbol

    def __iter__(self) -> Iterator[ParentOrder]:
        """The oldest first."""
        own = [parent for parent in self._orders.parents.values() if self._has(parent)]
        return iter(sorted(own, key=lambda parent: (parent.received_ns, parent.order_id)))

    def find(self, order_id: str) -> ParentOrder | None:
        """None for one that is not its own, or no longer kept."""
        parent = self._orders.parents.get(order_id)
        return parent if parent is not None and self._has(parent) else None

    def _has(self, parent: ParentOrder) -> bool:
        return is_of(parent, self._account) and self._symbol in ("", parent.terms.instrument.name)


class OrdersSource:
    """A snapshot has all open orders and the newest of those that have ended, a change the orders that are not as they
    were, each whole. Plans are left out: they are long, and never change; whoever wants them asks for the order."""

    def __init__(self, own: Own) -> None:
        self._own = own
        self._changed: dict[str, None] = {}

    def note(self, order_id: str) -> None:
        self._changed[order_id] = None

    def snapshot(self) -> dict[str, Any]:
        own = list(self._own)
        ended = [parent for parent in own if not parent.is_open][-ENDED_SHOWN:]
        return {"orders": [_document(parent) for parent in (*ended, *(parent for parent in own if parent.is_open))]}

    def change(self) -> dict[str, Any] | None:
        changed = [parent for parent in map(self._own.find, self._changed) if parent is not None]
        self._changed.clear()
        return {"orders": [_document(parent) for parent in changed]} if changed else None


class FillsSource:
    """A snapshot has the newest fills, a change those that came since; in the order in which they came."""

    def __init__(self, own: Own) -> None:
        self._own = own
        self._changed: dict[str, None] = {}
        known = {parent.order_id: list(fills_of(parent)) for parent in own}
        self._told_ids = {order_id: set(map(id_of, fills)) for order_id, fills in known.items()}
        self._forget_at = 2 * len(known) + FORGET_EVERY
        fills = sorted(chain.from_iterable(known.values()), key=_came_ns)
        self._told = deque(map(fill_document, fills[-FILLS_SHOWN:]), FILLS_SHOWN)

    def note(self, order_id: str) -> None:
        self._changed[order_id] = None

    def snapshot(self) -> dict[str, Any]:
        return {"fills": list(self._told)}

    def change(self) -> dict[str, Any] | None:
        new = sorted(chain.from_iterable(map(self._take_new, self._changed)), key=_came_ns)
        self._changed.clear()
        fills = [fill_document(fill) for fill in new]
        self._told += fills
        return {"fills": fills} if fills else None

    def _take_new(self, order_id: str) -> Iterator[Fill]:
        parent = self._own.find(order_id)
        if parent is None:
            return
        if len(self._told_ids) >= self._forget_at:
            self._forget()
        told = self._told_ids.setdefault(order_id, set())
        for fill in fills_of(parent):
            if id_of(fill) not in told:
                told.add(id_of(fill))
                yield fill

    def _forget(self) -> None:
        """Orders that are no longer kept tell nothing new."""
        kept = {parent.order_id for parent in self._own}
        self._told_ids = {order_id: told for order_id, told in self._told_ids.items() if order_id in kept}
        self._forget_at = 2 * len(self._told_ids) + FORGET_EVERY


def _came_ns(fill: Fill) -> int:
    return fill.received_ns


def _document(parent: ParentOrder) -> dict[str, Any]:
    return {name: value for name, value in parent_document(parent).items() if name not in ("plan", "plans")}
