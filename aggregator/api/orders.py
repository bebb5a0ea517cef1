"""Orders over HTTP: placed, amended, canceled and shown. Each account has its own and sees no others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from aiohttp import web

from aggregator.api.auth import Answering, Caller, Keys
from aggregator.api.order_documents import fill_document, id_of, parent_document
from aggregator.api.order_lookup import Lookup, Orders, account_of
from aggregator.api.order_requests import read_amendment, read_terms
from aggregator.api.problems import Code, Problem, refused
from aggregator.api.reading import answered, bad, instrument_named, parameters
from aggregator.api.routes import (
    AMEND_ORDER,
    CANCEL_ALL,
    CANCEL_ORDER,
    FILLS,
    ORDER,
    ORDERS,
    PLACE_ORDER,
    Endpoint,
    Route,
    guarded,
)
from aggregator.api.schema import CancelAllQuery, FillsQuery, OrderQuery, OrdersQuery
from aggregator.domain.effects import Effect, RequestAnswered
from aggregator.domain.errors import JournalFailed
from aggregator.domain.order import OrderTerms, ParentOrder
from aggregator.domain.order_events import (
    CancelAllRequested,
    CancelRequested,
    OrderEvent,
    OrderRequested,
)
from aggregator.engine.market import Market
from aggregator.routing.risk import allowed, excess

CANCEL_PATIENCE_S = 5
LOOK_EVERY_S = 0.02

Ask = Callable[[OrderEvent], Awaitable[Sequence[Effect]]]
"""Hands an event to the engine; returns its effects once they are on disk. Raises JournalFailed."""

T = TypeVar("T")


class OrderRoutes:
    """Every key sees its account's orders, and who oversees also those of others; placing them needs `trade`. `venues`
    are those that may be named."""

    def __init__(
        self,
        orders: Orders,
        market: Market,
        venues: Collection[str],
        keys: Keys,
        ask: Ask,
        clock_ns: Callable[[], int],
        cancel_patience_s: float = CANCEL_PATIENCE_S,
    ) -> None:
        self._orders = orders
        self._lookup = Lookup(orders)
        self._market = market
        self._venues = venues
        self._keys = keys
        self._ask = ask
        self._clock_ns = clock_ns
        self._cancel_patience_s = cancel_patience_s

    def routes(self) -> list[Endpoint]:
        answers: Mapping[Route, Answering] = {
            PLACE_ORDER: self.place,
            ORDERS: self.listed,
            CANCEL_ALL: self.cancel_all,
            ORDER: self.show,
            AMEND_ORDER: self.amend,
            CANCEL_ORDER: self.cancel,
            FILLS: self.fills,
        }
        return [guarded(self._keys, route, answer) for route, answer in answers.items()]

    async def place(self, request: web.Request, caller: Caller) -> web.Response:
        """201 with the order; 200 when it had been placed before under the same id, with the same terms."""
        terms = read_terms(await request.read(), caller.account, self._market, self._venues)
        if self._orders.find(caller.account, terms.client_order_id) is None:
            self._refuse_over_key(terms, caller)
        event = OrderRequested(self._clock_ns(), terms)
        answer = await asked(self._ask, event)
        parent = self._orders.parents.get(answer.order_ids[0]) if answer.order_ids else None
        if parent is None:
            detail = f"{terms.client_order_id!r} was an order that is no longer kept here; use a new id"
            raise refused(Code.DUPLICATE_CLIENT_ORDER_ID, detail)
        return answered(parent_document(parent), 201 if parent.received_ns == event.received_ns else 200)

    async def listed(self, request: web.Request, caller: Caller) -> web.Response:
        """The newest first."""
        query = parameters(request, OrdersQuery)
        own = self._lookup.all(account_of(caller, query.account))
        older = _behind(query.after, own, _order_id)
        wanted = [parent for parent in older if query.status in (None, "open" if parent.is_open else "ended")]
        page, after = _page(query.limit, wanted, _order_id)
        return answered({"orders": [parent_document(parent) for parent in page], "next": after})

    async def show(self, request: web.Request, caller: Caller) -> web.Response:
        query = parameters(request, OrderQuery)
        return answered(parent_document(self._lookup.own(request.match_info["id"], caller, query.account)))

    async def amend(self, request: web.Request, caller: Caller) -> web.Response:
        parent = self._lookup.own(request.match_info["id"], caller, caller.account)
        event = read_amendment(
            await request.read(), caller.account, parent.order_id, parent.terms.instrument, self._clock_ns()
        )
        quantity, limit_price = event.quantity or parent.quantity, event.limit_price or parent.limit_price
        self._refuse_over_key(replace(parent.terms, quantity=quantity, limit_price=limit_price), caller)
        await asked(self._ask, event)
        return answered(parent_document(parent))

    async def cancel(self, request: web.Request, caller: Caller) -> web.Response:
        """The order as it is once its venues are told; its state says whether they have answered."""
        parent = self._lookup.own(request.match_info["id"], caller, caller.account)
        await asked(self._ask, CancelRequested(self._clock_ns(), caller.account, parent.order_id, caller.key))
        return answered(parent_document(parent))

    async def cancel_all(self, request: web.Request, caller: Caller) -> web.Response:
        """Each order that was open, as it is when all have ended, or when the patience is over. An admin's may be other
        accounts' too; the journal has who asked."""
        query = parameters(request, CancelAllQuery)
        account = account_of(caller, query.account, ("admin",))
        instrument = instrument_named(query.symbol, self._market).name if query.symbol is not None else None
        event = CancelAllRequested(self._clock_ns(), account, instrument, caller.key)
        answer = await asked(self._ask, event)
        parents = [self._orders.parents[order_id] for order_id in answer.order_ids]
        await self._have_ended(parents)
        still_open = sum(parent.is_open for parent in parents)
        return answered({"orders": [parent_document(parent) for parent in parents], "still_open": still_open})

    async def fills(self, request: web.Request, caller: Caller) -> web.Response:
        """The newest first."""
        query = parameters(request, FillsQuery)
        order = None if query.order is None else self._lookup.own(query.order, caller, query.account)
        found = self._lookup.fills(account_of(caller, query.account), order)
        page, after = _page(query.limit, _behind(query.after, found, id_of), id_of)
        return answered({"fills": [fill_document(fill) for fill in page], "next": after})

    def _refuse_over_key(self, terms: OrderTerms, caller: Caller) -> None:
        """Raises Problem."""
        most = allowed(caller.order_notional, terms.instrument.quote)
        detail = excess(terms, f"one order of key {caller.key}", most, self._market.middle(terms.instrument.name))
        if detail:
            raise Problem(403, Code.KEY_ORDER_NOTIONAL, "over a limit of the key", detail)

    async def _have_ended(self, parents: Sequence[ParentOrder]) -> None:
        for _ in range(int(self._cancel_patience_s / LOOK_EVERY_S)):
            if not any(parent.is_open for parent in parents):
                return
            await asyncio.sleep(LOOK_EVERY_S)


async def asked(ask: Ask, event: OrderEvent) -> RequestAnswered:
    """The engine's answer. Raises Problem when it is a refusal, or when nothing could be recorded."""
    try:
        effects = await ask(event)
    except JournalFailed as failed:
        raise refused(Code.JOURNAL_FAILED, f"{failed}; whether it was taken on shows when the service is up") from None
    answer = next(effect for effect in effects if isinstance(effect, RequestAnswered))
    if answer.code:
        about = {"order_id": answer.order_ids[0]} if answer.order_ids else None
        raise refused(answer.code, answer.detail, about)
    return answer


def _order_id(parent: ParentOrder) -> str:
    return parent.order_id


def _page(limit: int, newest_first: Sequence[T], name_of: Callable[[T], str]) -> tuple[Sequence[T], str | None]:
    """As many as `limit` says, and what the next page is to be asked for `after`, None when there is none."""
    page = newest_first[:limit]
    return page, name_of(page[-1]) if len(newest_first) > limit else None


def _behind(after: str | None, newest_first: Sequence[T], name_of: Callable[[T], str]) -> Sequence[T]:
    """What is older than the one that `after` names."""
    if after is None:
        return newest_first
    for place, item in enumerate(newest_first):
        if name_of(item) == after:
            return newest_first[place + 1 :]
    raise bad(f"after={after[:80]!r} is not kept here; give the `next` of the page before, or leave it out")
