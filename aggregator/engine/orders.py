"""The order side: requests, plans, children, fills. Deterministic: the same events, seeing the same depth, give the
same orders, the same ids and the same effects."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from aggregator.domain.documents import from_document, to_document
from aggregator.domain.effects import Alarm, OrderEffect, ParentChanged, PlaceChild, RequestAnswered
from aggregator.domain.instrument import Instrument, Instruments
from aggregator.domain.lifecycle import ChildState
from aggregator.domain.order import (
    ChildOrder,
    ChildTerms,
    Fill,
    OrderTerms,
    OrderType,
    ParentOrder,
    ParentState,
    TimeInForce,
)
from aggregator.domain.order_events import (
    AccountStream,
    AmendRequested,
    Balance,
    BalancesRead,
    CancelAllRequested,
    CancelRequested,
    ExecutionReport,
    FeesRead,
    FillReported,
    HaltSwitched,
    OpenOrdersRead,
    OrderEvent,
    OrderRequested,
    Started,
    Timer,
)
from aggregator.domain.plan import RoutePlan, RoutingPolicy
from aggregator.engine.children import Children
from aggregator.engine.order_state import ENDED_KEPT, IDS_KEPT, OrderState, notional_of
from aggregator.engine.sight import Sight, VenueFacts
from aggregator.engine.venue_accounts import VenueAccounts
from aggregator.routing.execution import (
    ANSWER_PATIENCE_NS,
    SECOND,
    Step,
    base36,
    ended_as,
    next_step,
    planned_children,
    resting_child,
    rests,
    route_request,
)
from aggregator.routing.planner import plan
from aggregator.routing.record import Seen
from aggregator.routing.risk import Refusal, allowed, limits_of, refusal

MS = 1_000_000
GATE_PATIENCE_NS = 30 * SECOND
"""A venue that has not been reconciled this long after the start does not hold up the others any more; it stays out."""


class Orders:
    """`apply` is the only way to change anything. `sight` may be changed between two events."""

    def __init__(self, sight: Sight) -> None:
        self.sight = sight
        self._seen: list[Seen] = []
        self._effects: list[OrderEffect] = []
        self._changed: dict[str, None] = {}
        self._restart(OrderState())

    @property
    def parents(self) -> Mapping[str, ParentOrder]:
        """By order id; those that have ended come first."""
        return ChainMap(self.state.open, self.state.ended)

    @property
    def balances(self) -> dict[str, dict[str, Balance]]:
        """By venue and asset, as the venues told them last."""
        return {venue: account.told for venue, account in self.state.venues.items()}

    @property
    def is_halted(self) -> bool:
        return self.state.is_halted

    @property
    def halt_reason(self) -> str:
        return self.state.halt_reason

    @property
    def reconciling(self) -> dict[str, str]:
        """The venues that are not reconciled, with the reason."""
        return {
            venue: self._accounts.unreconciled_reason(venue)
            for venue, account in self.state.venues.items()
            if not account.is_reconciled
        }

    def find(self, account: str, client_order_id: str) -> ParentOrder | None:
        order_id = self.state.taken_ids.get(_taken(account, client_order_id))
        return self.state.parent(order_id) if order_id else None

    def fills(self, account: str) -> Iterator[Fill]:
        """The account's own, in the order of their time."""
        fills = [
            fill
            for parent in self.parents.values()
            if parent.terms.account == account
            for child in parent.children.values()
            for fill in child.fills.values()
        ]
        return iter(sorted(fills, key=lambda fill: (fill.received_ns, fill.child_id, fill.fill_id)))

    def document(self) -> dict[str, Any]:
        """All that is known, as a plain document: what a snapshot stores and a digest is made of."""
        return to_document(self.state)

    def restore(self, document: Mapping[str, Any], instruments: Instruments) -> None:
        self._restart(from_document(OrderState, document, instruments))

    def take_seen(self) -> list[Seen]:
        """What was looked at since the last call."""
        seen, self._seen = self._seen, []
        return seen

    def wake_at_ns(self) -> int | None:
        """When a Timer is due."""
        wakes = [child.ask_at_ns for child in self.state.live_children() if child.ask_at_ns]
        account_ns = self._accounts.wake_at_ns()
        if account_ns is not None:
            wakes.append(account_ns)
        if self.state.venues and not self.state.is_gate_open:
            wakes.append(self.state.started_ns + GATE_PATIENCE_NS)
        return min(wakes, default=None)

    def apply(self, event: OrderEvent) -> Sequence[OrderEffect]:
        self._effects, self._changed = [], {}
        self._dispatch(event)
        self._settle_accounts(event.received_ns)
        self._effects += [ParentChanged(order_id) for order_id in self._changed]
        return self._effects

    def _restart(self, state: OrderState) -> None:
        self.state = state
        self._accounts = VenueAccounts(state, self._tell)
        self._children = Children(state, self._accounts, self._tell)

    def _tell(self, effect: OrderEffect) -> None:
        self._effects.append(effect)

    def _dispatch(self, event: OrderEvent) -> None:
        match event:
            case ExecutionReport():
                self._reported(event)
            case FillReported():
                self._filled(event)
            case Timer():
                self._due(event.now_ns)
            case OrderRequested():
                self._requested(event)
            case CancelRequested():
                self._cancel_requested(event)
            case CancelAllRequested():
                self._cancel_all_requested(event)
            case AmendRequested():
                self._amend_requested(event)
            case BalancesRead():
                self._accounts.balances_read(event)
            case OpenOrdersRead():
                self._accounts.orders_read(event)
                self._listed(event)
            case FeesRead():
                self._accounts.fees_read(event)
            case AccountStream():
                self._accounts.stream_changed(event)
                self._ask_after_silence(event)
            case HaltSwitched():
                self._halt(event)
            case Started():
                self._started(event)

    # What clients ask for

    def _requested(self, event: OrderRequested) -> None:
        terms, state = event.terms, self.state
        known_id = state.taken_ids.get(_taken(terms.account, terms.client_order_id))
        if known_id is not None:
            self._answer_again(terms, known_id)
            return
        parent = ParentOrder(
            self._next_id(event.received_ns), terms, event.received_ns, terms.quantity, terms.limit_price
        )
        state.open[parent.order_id] = parent
        state.taken_ids[_taken(terms.account, terms.client_order_id)] = parent.order_id
        refused = self._gate(terms) or self._begin(parent, event.received_ns)
        if refused is not None:
            parent.code, parent.reason = refused
            self._end(parent, ParentState.REJECTED, event.received_ns)
        elif not parent.live_children:
            self._end(parent, ended_as(parent), event.received_ns)
        self._touch(parent, event.received_ns)
        self._effects.append(RequestAnswered((parent.order_id,), parent.code, parent.reason))

    def _answer_again(self, terms: OrderTerms, order_id: str) -> None:
        first = self.state.parent(order_id)
        if first is None or replace(first.terms, medium=terms.medium) == terms:
            code, reason = (first.code, first.reason) if first and first.state is ParentState.REJECTED else ("", "")
            self._effects.append(RequestAnswered((order_id,), code, reason))
            return
        text = f"{terms.client_order_id!r} is taken by order {order_id}, which asks for something else; use a new id"
        self._effects.append(RequestAnswered((order_id,), "duplicate_client_order_id", text))

    def _gate(self, terms: OrderTerms) -> Refusal | None:
        """Why nothing new may leave, whatever the order."""
        if self.state.is_halted:
            return Refusal("halted", f"trading is halted: {self.state.halt_reason or 'no reason given'}")
        if not self.state.is_gate_open:
            waiting = "; ".join(f"{venue} {reason}" for venue, reason in self.reconciling.items())
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
        limits = limits_of(self.state.limits, terms.account)
        seen = self._look(parent, parent.remaining, now_ns)
        parent.arrival_mid = seen.mid
        requests = self._count_request(terms.account, now_ns)
        quote = terms.instrument.quote
        open_money = self.state.open_money(terms.account, quote, but=parent.order_id)
        refused = refusal(terms, limits, seen.mid, open_money, requests)
        if refused is not None:
            return refused
        if terms.post_only:
            return self._begin_post_only(parent, seen, now_ns)
        planned = plan(seen.request, seen.venues, seen.policy)
        parent.bound_price = planned.bound_price
        if terms.time_in_force is TimeInForce.FOK and planned.filled < parent.quantity:
            parent.plans.append(planned.to_document())
            return Refusal("fok_not_covered", f"the live books cover {_covered(planned)}: {_shortfall(planned)}")
        self._carry_out(parent, planned, seen, now_ns)
        return None

    def _begin_post_only(self, parent: ParentOrder, seen: Seen, now_ns: int) -> Refusal | None:
        resting = resting_child(parent, seen.venues, seen.policy, now_ns)
        if resting.child is None:
            reasons = "; ".join(f"{venue}: {reason}" for venue, reason in resting.reasons.items())
            return Refusal("cannot_rest", f"no venue takes it as post-only: {reasons or 'it is listed nowhere'}")
        parent.rounds += 1
        self._place(parent, resting.child, now_ns)
        return None

    def _cancel_requested(self, event: CancelRequested) -> None:
        parent = self._owned(event.account, event.order_id)
        if parent is not None:
            self._cancel(parent, event.by, event.received_ns)
            self._effects.append(RequestAnswered((parent.order_id,)))

    def _cancel_all_requested(self, event: CancelAllRequested) -> None:
        chosen = [
            parent
            for parent in self.state.open.values()
            if event.account in ("*", parent.terms.account) and event.instrument in (None, parent.terms.instrument.name)
        ]
        for parent in chosen:
            self._cancel(parent, event.by, event.received_ns)
        self._effects.append(RequestAnswered(tuple(parent.order_id for parent in chosen)))

    def _cancel(self, parent: ParentOrder, by: str, now_ns: int) -> None:
        if parent.state is not ParentState.CANCELING:
            parent.state = ParentState.CANCELING
            parent.reason = f"canceled by {by or 'the client'}"
        for child in parent.live_children:
            self._children.want_cancel(child, now_ns)
        self._touch(parent, now_ns)
        self._advance(parent, now_ns)

    def _amend_requested(self, event: AmendRequested) -> None:
        """The resting child is canceled first; what is left goes on under the new terms when it has ended."""
        parent = self._owned(event.account, event.order_id)
        if parent is None:
            return
        refused = self._unamendable(parent, event)
        if refused is not None:
            self._effects.append(RequestAnswered((parent.order_id,), *refused))
            return
        parent.quantity = event.quantity if event.quantity is not None else parent.quantity
        parent.limit_price = event.limit_price if event.limit_price is not None else parent.limit_price
        parent.bound_price, parent.rounds = None, 0
        for child in parent.live_children:
            self._children.want_cancel(child, event.received_ns)
        self._touch(parent, event.received_ns)
        self._advance(parent, event.received_ns)
        self._effects.append(RequestAnswered((parent.order_id,)))

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
        limits = limits_of(self.state.limits, parent.terms.account)
        account, quote = parent.terms.account, parent.terms.instrument.quote
        open_money = self.state.open_money(account, quote, but=parent.order_id)
        mid = self._look(parent, amended.quantity, event.received_ns).mid
        return refusal(amended, limits, mid, open_money, self._count_request(parent.terms.account, event.received_ns))

    def _halt(self, event: HaltSwitched) -> None:
        state = self.state
        state.is_halted, state.halted_by = event.is_halted, event.by
        state.halt_reason = event.reason if event.is_halted else ""
        self._effects.append(RequestAnswered())
        for parent in list(state.open.values()):
            self._advance(parent, event.received_ns)

    def _owned(self, account: str, order_id: str) -> ParentOrder | None:
        """The account's own open order; answers why not otherwise. The account `*` owns all."""
        parent = self.state.parent(order_id)
        if parent is None or account not in ("*", parent.terms.account):
            self._effects.append(RequestAnswered((), "unknown_order", f"there is no order {order_id} of yours"))
            return None
        if not parent.is_open:
            text = f"order {order_id} has ended: {parent.state}"
            self._effects.append(RequestAnswered((order_id,), "not_open", text))
            return None
        return parent

    # What venues tell

    def _reported(self, report: ExecutionReport) -> None:
        found = self._children.find(report.child_id)
        if found is None:
            self._unknown_child(report.child_id, report.venue)
            return
        parent, child = found
        self._children.reported(child, report)
        self._after_child(parent, child, report.received_ns)

    def _filled(self, event: FillReported) -> None:
        found = self._children.find(event.fill.child_id)
        if found is None:
            self._unknown_child(event.fill.child_id, event.fill.venue)
            return
        parent, child = found
        if self._children.filled(parent, child, event):
            self._after_child(parent, child, event.received_ns)

    def _after_child(self, parent: ParentOrder, child: ChildOrder, now_ns: int) -> None:
        self._touch(parent, now_ns)
        if not parent.is_open:
            self._revise(parent, child)
        self._advance(parent, now_ns)

    def _revise(self, parent: ParentOrder, child: ChildOrder) -> None:
        """Something came after the end. A child that lives again opens its parent, but nothing new is sent for it."""
        if not child.has_ended:
            self.state.ended.pop(parent.order_id, None)
            self.state.open[parent.order_id] = parent
            parent.state = ParentState.CANCELING
        elif parent.state is not ParentState.REJECTED:
            parent.state = ended_as(parent)

    def _unknown_child(self, child_id: str, venue: str) -> None:
        text = f"{venue} tells of {child_id}, of which there is no record; is another service using this account?"
        self._effects.append(Alarm("unknown_child", text, venue))

    def _listed(self, event: OpenOrdersRead) -> None:
        """Open orders there that should be none of ours any more."""
        for child_id in event.child_ids:
            found = self._children.find(child_id)
            if found is None:
                self._unknown_child(child_id, event.venue)
            elif found[1].has_ended:
                self._children.ask(found[1], event.received_ns)

    def _ask_after_silence(self, event: AccountStream) -> None:
        if event.is_live:
            for child in list(self.state.live_children(event.venue)):
                if child.state is not ChildState.SUBMITTED:
                    self._children.ask(child, event.received_ns)

    # What time brings about

    def _due(self, now_ns: int) -> None:
        for child in list(self.state.live_children()):
            if child.ask_at_ns and child.ask_at_ns <= now_ns:
                self._children.due(child, now_ns)
                self._touch(self.state.open[child.terms.order_id], now_ns)
        self._accounts.due(now_ns)

    def _started(self, event: Started) -> None:
        state = self.state
        state.instance, state.started_ns, state.limits = event.instance, event.received_ns, dict(event.limits)
        state.is_gate_open = not event.venues
        self._accounts.started(event.venues, event.received_ns)
        for child in list(state.live_children()):
            child.asks = 0
            child.is_cancel_sent = False
            self._children.doubt(child, "the service ended while it was live", event.received_ns)
            self._touch(state.open[child.terms.order_id], event.received_ns)

    def _settle_accounts(self, now_ns: int) -> None:
        """Open the gate once every venue is reconciled, and let go on what waited for that."""
        self._accounts.reconcile(now_ns)
        state = self.state
        if state.is_gate_open or not state.started_ns:
            return
        is_late = now_ns >= state.started_ns + GATE_PATIENCE_NS
        if is_late or all(account.is_reconciled for account in state.venues.values()):
            state.is_gate_open = True
            for parent in list(state.open.values()):
                self._advance(parent, now_ns)

    # What becomes of a parent

    def _advance(self, parent: ParentOrder, now_ns: int) -> None:
        if not parent.is_open:
            return
        step = next_step(parent, is_halted=self.state.is_halted)
        if step is Step.PLAN and self.state.is_gate_open:
            self._plan_again(parent, now_ns)
            step = next_step(parent, is_halted=self.state.is_halted)
            if step is Step.PLAN:  # nothing could be placed
                step = Step.WAIT if parent.live_children else Step.END
        if step is Step.END:
            self._end(parent, ended_as(parent), now_ns)

    def _plan_again(self, parent: ParentOrder, now_ns: int) -> None:
        seen = self._look(parent, parent.remaining, now_ns)
        if parent.terms.post_only:
            parent.rounds += 1
            self._rest(parent, seen, now_ns)
            return
        planned = plan(seen.request, seen.venues, seen.policy)
        parent.bound_price = parent.bound_price or planned.bound_price
        self._carry_out(parent, planned, seen, now_ns)

    def _carry_out(self, parent: ParentOrder, planned: RoutePlan, seen: Seen, now_ns: int) -> None:
        """Send the plan's children; when it has none, rest what is left if the order is one that rests."""
        parent.plans.append(planned.to_document())
        parent.rounds += 1
        children = planned_children(parent, planned)
        for child in children:
            self._place(parent, child, now_ns)
        if not children:
            parent.reason = _shortfall(planned)
            if rests(parent.terms):
                self._rest(parent, seen, now_ns)

    def _rest(self, parent: ParentOrder, seen: Seen, now_ns: int) -> None:
        resting = resting_child(parent, seen.venues, seen.policy, now_ns)
        if resting.child is not None:
            self._place(parent, resting.child, now_ns)
        else:
            reasons = "; ".join(f"{venue}: {reason}" for venue, reason in resting.reasons.items())
            parent.reason = f"the rest can rest nowhere: {reasons}"

    def _place(self, parent: ParentOrder, terms: ChildTerms, now_ns: int) -> None:
        child = ChildOrder(terms, sent_ns=now_ns, since_ns=now_ns, ask_at_ns=now_ns + ANSWER_PATIENCE_NS)
        parent.children[terms.child_id] = child
        self._effects.append(PlaceChild(terms))

    def _end(self, parent: ParentOrder, state: ParentState, now_ns: int) -> None:
        if parent.state is not ParentState.CANCELING and self.state.is_halted and state is not ParentState.REJECTED:
            parent.reason = f"halted: {self.state.halt_reason}" if parent.filled < parent.quantity else parent.reason
        if state is ParentState.FILLED:
            parent.reason = ""
        parent.state = state
        self._touch(parent, now_ns)
        self.state.open.pop(parent.order_id, None)
        self.state.ended[parent.order_id] = parent
        self._forget()

    def _forget(self) -> None:
        state = self.state
        while len(state.ended) > ENDED_KEPT:
            del state.ended[next(iter(state.ended))]
        while len(state.taken_ids) > IDS_KEPT + len(state.open):
            del state.taken_ids[next(iter(state.taken_ids))]

    def _touch(self, parent: ParentOrder, now_ns: int) -> None:
        parent.updated_ns = now_ns
        self._changed[parent.order_id] = None

    # What is seen

    def _look(self, parent: ParentOrder, quantity: int, now_ns: int) -> Seen:
        request = route_request(parent, quantity, now_ns)
        side = request.side

        def facts_of(venue: str, instrument: Instrument) -> VenueFacts:
            pending = self.state.pending(venue, instrument, side) if venue in self.state.venues else 0
            return self._accounts.facts(venue, instrument, pending, now_ns)

        seen = self.sight.look(request, facts_of)
        seen = seen._replace(policy=self._capped(seen.policy, parent))
        self._seen.append(seen)
        return seen

    def _capped(self, policy: RoutingPolicy, parent: ParentOrder) -> RoutingPolicy:
        """The policy with the account's own cap per venue in it."""
        limits = limits_of(self.state.limits, parent.terms.account)
        instrument = parent.terms.instrument
        most = allowed(limits.venue_open_notional, instrument.quote)
        if most is None:
            return policy
        cap = notional_of(instrument, most)
        venues: Iterable[str] = {*policy.terms, *self.state.venues}
        terms = {}
        for venue in sorted(venues):
            own = policy.of(venue)
            terms[venue] = replace(own, cap_notional=cap if own.cap_notional is None else min(cap, own.cap_notional))
        return replace(policy, terms=terms)

    def _count_request(self, account: str, now_ns: int) -> int:
        """How many orders the account has asked for in the last second, this one included."""
        recent = [at_ns for at_ns in self.state.requests_ns.get(account, []) if at_ns > now_ns - SECOND]
        self.state.requests_ns[account] = [*recent, now_ns]
        return len(recent) + 1

    def _next_id(self, now_ns: int) -> str:
        """16 characters: the journal's instance, ms since the epoch, and a number within that ms. Never again the same,
        even when the clock is set back or an old copy of the journal is used."""
        state = self.state
        ms = max(now_ns // MS, state.last_id_ms)
        number = state.last_id_number + 1 if ms == state.last_id_ms else 0
        if number == 36**2:
            ms, number = ms + 1, 0
        state.last_id_ms, state.last_id_number = ms, number
        return f"{state.instance}{base36(ms, 8)}{base36(number, 2)}"


def _taken(account: str, client_order_id: str) -> str:
    return f"{account} {client_order_id}"


def _covered(planned: RoutePlan) -> str:
    return planned.request.instrument.show_quantity(planned.filled)


def _shortfall(planned: RoutePlan) -> str:
    """Why the plan leaves something."""
    instrument = planned.request.instrument
    reasons = [f"{instrument.show_quantity(part)} for {reason}" for reason, part in planned.unfilled.items()]
    excluded = [f"{venue} is out: {reason}" for venue, reason in planned.excluded.items()]
    return "; ".join([*reasons, *excluded])
