"""What clients ask for: orders are judged and begun, amended and canceled here, and the switch is thrown."""

from __future__ import annotations

from dataclasses import replace

from aggregator.domain.effects import RequestAnswered
from aggregator.domain.lifecycle import ChildState
from aggregator.domain.local import LOCAL_VENUE
from aggregator.domain.order import ChildOrder, OrderTerms, OrderType, ParentOrder, ParentState, TimeInForce
from aggregator.domain.order_events import (
    AmendRequested,
    CancelAllRequested,
    CancelRequested,
    HaltSwitched,
    OrderRequested,
)
from aggregator.domain.plan import RoutePlan
from aggregator.engine.children import Children
from aggregator.engine.funds import Funds
from aggregator.engine.local_venue import LocalVenue, ReduceChild
from aggregator.engine.order_state import OrderState, taken
from aggregator.engine.parents import Parents, shortfall
from aggregator.engine.turn import Turn
from aggregator.engine.venue_accounts import VenueAccounts
from aggregator.routing.execution import SECOND, base36, ended_as, resting_child, rests
from aggregator.routing.planner import plan
from aggregator.routing.record import Seen
from aggregator.routing.risk import Refusal, limits_of, refusal

MS = 1_000_000


class Requests:
    def __init__(
        self,
        state: OrderState,
        turn: Turn,
        parents: Parents,
        children: Children,
        accounts: VenueAccounts,
        funds: Funds,
        local: LocalVenue,
    ) -> None:
        self._local = local
        self._funds = funds
        self._state = state
        self._turn = turn
        self._parents = parents
        self._children = children
        self._accounts = accounts

    def place(self, event: OrderRequested) -> None:
        terms, state = event.terms, self._state
        known_id = state.taken_ids.get(taken(terms.account, terms.client_order_id))
        if known_id is not None:
            self._answer_again(terms, known_id)
            return
        parent = ParentOrder(
            self._next_id(event.received_ns), terms, event.received_ns, terms.quantity, terms.limit_price
        )
        state.open[parent.order_id] = parent
        state.taken_ids[taken(terms.account, terms.client_order_id)] = parent.order_id
        refused = self._gate(terms) or self._begin(parent, event.received_ns)
        if refused is not None:
            parent.code, parent.reason = refused
            self._parents.end(parent, ParentState.REJECTED, event.received_ns)
        elif not parent.live_children:
            self._parents.end(parent, ended_as(parent), event.received_ns)
        self._turn.touch(parent, event.received_ns)
        self._turn.tell(RequestAnswered((parent.order_id,), parent.code, parent.reason))

    def _answer_again(self, terms: OrderTerms, order_id: str) -> None:
        first = self._state.parent(order_id)
        if first is None or replace(first.terms, medium=terms.medium) == terms:
            code, reason = (first.code, first.reason) if first and first.state is ParentState.REJECTED else ("", "")
            self._turn.tell(RequestAnswered((order_id,), code, reason))
            return
        text = f"{terms.client_order_id!r} is taken by order {order_id}, which asks for something else; use a new id"
        self._turn.tell(RequestAnswered((order_id,), "duplicate_client_order_id", text))

    def _gate(self, terms: OrderTerms) -> Refusal | None:
        """Why nothing new may leave, whatever the order."""
        if self._state.is_halted:
            return Refusal("halted", f"trading is halted: {self._state.halt_reason or 'no reason given'}")
        if not self._state.is_gate_open:
            waiting = "; ".join(f"{venue} {reason}" for venue, reason in self._accounts.reconciling().items())
            return Refusal(
                "reconciling", f"started just now, and not every venue is reconciled: {waiting or 'none is'}"
            )
        has_limit = terms.limit_price is not None
        if terms.quantity <= 0 or has_limit is not (terms.type is OrderType.LIMIT):
            return Refusal(
                "bad_terms", "a quantity above 0; a limit price for a limit order, and none for a market one"
            )
        is_resting = rests(terms)
        if (terms.post_only and not is_resting) or (
            terms.type is OrderType.MARKET and terms.time_in_force is TimeInForce.GTC
        ):
            return Refusal(
                "bad_terms", "only a GTC limit order can rest: post-only needs one, and no market order is GTC"
            )
        return None

    def _begin(self, parent: ParentOrder, now_ns: int) -> Refusal | None:
        """Judge it, plan it, and send its first children."""
        terms = parent.terms
        limits = limits_of(self._state.limits, terms.account)
        seen = self._parents.look(parent, parent.remaining, now_ns)
        parent.arrival_mid = seen.mid
        requests = self._count_request(terms.account, now_ns)
        quote = terms.instrument.quote
        open_money = self._state.open_money(terms.account, quote, but=parent.order_id)
        refused = refusal(terms, limits, self._mid(seen), open_money, requests)
        if refused is None and self._funds.is_participant(terms.account):
            refused = self._local.refusal(terms)
        if refused is not None:
            return refused
        if terms.post_only:
            return self._funds.hold(parent, seen.venues) or self._begin_post_only(parent, seen, now_ns)
        planned = plan(seen.request, seen.venues, seen.policy)
        parent.bound_price = planned.bound_price
        if terms.time_in_force is TimeInForce.FOK and planned.filled < parent.quantity:
            parent.plans.append(planned.to_document())
            return Refusal("fok_not_covered", f"the live books cover {_covered(planned)}: {shortfall(planned)}")
        short = self._funds.hold(parent, seen.venues)
        if short is not None:
            return short
        self._parents.carry_out(parent, planned, seen, now_ns)
        return None

    def _begin_post_only(self, parent: ParentOrder, seen: Seen, now_ns: int) -> Refusal | None:
        resting = resting_child(parent, seen.venues, seen.policy, now_ns)
        if resting.child is None:
            reasons = "; ".join(f"{venue}: {reason}" for venue, reason in resting.reasons.items())
            return Refusal("cannot_rest", f"no venue takes it as post-only: {reasons or 'it is listed nowhere'}")
        parent.rounds += 1
        self._parents.place(parent, resting.child, now_ns)
        return None

    def cancel(self, event: CancelRequested) -> None:
        parent = self._owned(event.account, event.order_id)
        if parent is not None:
            self._cancel(parent, event.by, event.received_ns)
            self._turn.tell(RequestAnswered((parent.order_id,)))

    def cancel_all(self, event: CancelAllRequested) -> None:
        chosen = [
            parent
            for parent in self._state.open.values()
            if event.account in ("*", parent.terms.account) and event.instrument in (None, parent.terms.instrument.name)
        ]
        for parent in chosen:
            self._cancel(parent, event.by, event.received_ns)
        self._turn.tell(RequestAnswered(tuple(parent.order_id for parent in chosen)))

    def _cancel(self, parent: ParentOrder, by: str, now_ns: int) -> None:
        if parent.state is not ParentState.CANCELING:
            parent.state = ParentState.CANCELING
            parent.reason = f"canceled by {by or 'the client'}"
        for child in parent.live_children:
            self._children.want_cancel(child, now_ns)
        self._turn.touch(parent, now_ns)
        self._parents.advance(parent, now_ns)

    def amend(self, event: AmendRequested) -> None:
        """The resting child is canceled first; what is left goes on under the new terms when it has ended. A child in
        Busan's own book that is only made smaller keeps its place."""
        parent = self._owned(event.account, event.order_id)
        if parent is None:
            return
        refused = self._unamendable(parent, event)
        if refused is not None:
            self._turn.tell(RequestAnswered((parent.order_id,), *refused))
            return
        parent.quantity = event.quantity if event.quantity is not None else parent.quantity
        parent.limit_price = event.limit_price if event.limit_price is not None else parent.limit_price
        parent.bound_price, parent.rounds = None, 0
        live = parent.live_children
        if event.limit_price is None and len(live) == 1 and _can_shrink(live[0], parent.quantity - parent.filled):
            self._turn.asked_locally.append(ReduceChild(live[0].terms, parent.quantity - parent.filled))
        else:
            for child in live:
                self._children.want_cancel(child, event.received_ns)
        self._turn.touch(parent, event.received_ns)
        self._parents.advance(parent, event.received_ns)
        self._turn.tell(RequestAnswered((parent.order_id,)))

    def _unamendable(self, parent: ParentOrder, event: AmendRequested) -> Refusal | None:
        if not rests(parent.terms) or parent.state is not ParentState.WORKING:
            return Refusal("not_amendable", "only a GTC limit order that is working can be amended")
        show = parent.terms.instrument.show_quantity
        if event.quantity is not None and event.quantity <= parent.filled:
            return Refusal("not_amendable", f"{show(parent.filled)} are filled already; give more than that, or cancel")
        gate = self._gate(parent.terms)
        if gate is not None:
            return gate
        quantity = event.quantity or parent.quantity
        limit = event.limit_price or parent.limit_price
        amended = replace(parent.terms, quantity=quantity - parent.filled, limit_price=limit)
        limits = limits_of(self._state.limits, parent.terms.account)
        account, quote = parent.terms.account, parent.terms.instrument.quote
        open_money = self._state.open_money(account, quote, but=parent.order_id)
        mid = self._mid(self._parents.look(parent, amended.quantity, event.received_ns))
        requests = self._count_request(account, event.received_ns)
        return refusal(amended, limits, mid, open_money, requests) or self._funds.amend(parent, quantity, limit or 0)

    def halt(self, event: HaltSwitched) -> None:
        state = self._state
        state.is_halted, state.halted_by = event.is_halted, event.by
        state.halt_reason = event.reason if event.is_halted else ""
        self._turn.tell(RequestAnswered())
        for parent in list(state.open.values()):
            self._parents.advance(parent, event.received_ns)

    def _owned(self, account: str, order_id: str) -> ParentOrder | None:
        """The account's own open order; answers why not otherwise. The account `*` owns all."""
        parent = self._state.parent(order_id)
        if parent is None or account not in ("*", parent.terms.account):
            self._turn.tell(RequestAnswered((), "unknown_order", f"there is no order {order_id} of yours"))
            return None
        if not parent.is_open:
            text = f"order {order_id} has ended: {parent.state}"
            self._turn.tell(RequestAnswered((order_id,), "not_open", text))
            return None
        return parent

    def _mid(self, seen: Seen) -> int | None:
        """That of the live books; in a listing of Busan's own that has none yet, its last or its reference price."""
        return seen.mid if seen.mid is not None else self._local.last_price(seen.request.instrument.name)

    def _count_request(self, account: str, now_ns: int) -> int:
        """How many orders the account has asked for in the last second, this one included."""
        recent = [at_ns for at_ns in self._state.requests_ns.get(account, []) if at_ns > now_ns - SECOND]
        self._state.requests_ns[account] = [*recent, now_ns]
        return len(recent) + 1

    def _next_id(self, now_ns: int) -> str:
        """16 characters: the journal's instance, ms since the epoch, and a number within that ms. Never again the same,
        even when the clock is set back or an old copy of the journal is used."""
        state = self._state
        ms = max(now_ns // MS, state.last_id_ms)
        number = state.last_id_number + 1 if ms == state.last_id_ms else 0
        if number == 36**2:
            ms, number = ms + 1, 0
        state.last_id_ms, state.last_id_number = ms, number
        return f"{state.instance}{base36(ms, 8)}{base36(number, 2)}"


def _can_shrink(child: ChildOrder, left: int) -> bool:
    is_resting = child.terms.venue == LOCAL_VENUE and child.state is ChildState.WORKING
    return is_resting and 0 < left < child.terms.quantity - child.filled


def _covered(planned: RoutePlan) -> str:
    return planned.request.instrument.show_quantity(planned.filled)
