"""What becomes of parent orders: they are looked at, planned, sent in children, rested, and ended."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import replace

from aggregator.domain.effects import PlaceChild
from aggregator.domain.instrument import Instrument
from aggregator.domain.local import LOCAL_VENUE
from aggregator.domain.numbers import RATE_ONE
from aggregator.domain.order import ChildOrder, ChildTerms, ParentOrder, ParentState
from aggregator.domain.plan import RoutePlan, RouteRequest, RoutingPolicy
from aggregator.engine.funds import Funds
from aggregator.engine.local_venue import LocalVenue
from aggregator.engine.order_state import ENDED_KEPT, IDS_KEPT, OrderState, notional_of
from aggregator.engine.sight import FactsOf, Sight, VenueFacts
from aggregator.engine.turn import Turn
from aggregator.engine.venue_accounts import VenueAccounts
from aggregator.routing.execution import (
    ANSWER_PATIENCE_NS,
    Step,
    ended_as,
    next_step,
    planned_children,
    resting_child,
    rests,
    route_request,
)
from aggregator.routing.planner import plan
from aggregator.routing.record import Seen
from aggregator.routing.risk import allowed, limits_of

NO_ACCOUNTS = VenueFacts(reason=None, holdings=None, pending=0, confidence=RATE_ONE)


class Parents:
    """`sight` may be changed between two events."""

    def __init__(
        self,
        state: OrderState,
        turn: Turn,
        accounts: VenueAccounts,
        local: LocalVenue,
        funds: Funds,
        sight: Sight,
    ) -> None:
        self.sight = sight
        self._local = local
        self._funds = funds
        self._state = state
        self._turn = turn
        self._ended: defaultdict[str, deque[str]] = defaultdict(deque)
        for parent in state.ended.values():
            self._ended[parent.terms.account].append(parent.order_id)
        self._accounts = accounts

    def advance(self, parent: ParentOrder, now_ns: int) -> None:
        if not parent.is_open:
            return
        step = next_step(parent, is_halted=self._state.is_halted)
        if step is Step.PLAN and self._state.is_gate_open:
            self._plan_again(parent, now_ns)
            step = next_step(parent, is_halted=self._state.is_halted)
            if step is Step.PLAN:  # nothing could be placed
                step = Step.WAIT if parent.live_children else Step.END
        if step is Step.END:
            self.end(parent, ended_as(parent), now_ns)

    def _plan_again(self, parent: ParentOrder, now_ns: int) -> None:
        seen = self.look(parent, parent.remaining, now_ns)
        if parent.terms.post_only:
            parent.rounds += 1
            self._rest(parent, seen, now_ns)
            return
        planned = plan(seen.request, seen.venues, seen.policy)
        parent.bound_price = parent.bound_price or planned.bound_price
        self.carry_out(parent, planned, seen, now_ns)

    def carry_out(self, parent: ParentOrder, planned: RoutePlan, seen: Seen, now_ns: int) -> None:
        """Send the plan's children; when it has none, rest what is left if the order is one that rests."""
        parent.plans.append(planned.to_document())
        parent.rounds += 1
        children = planned_children(parent, planned)
        for child in children:
            self.place(parent, child, now_ns)
        if not children:
            parent.reason = shortfall(planned)
            if rests(parent.terms):
                self._rest(parent, seen, now_ns)

    def _rest(self, parent: ParentOrder, seen: Seen, now_ns: int) -> None:
        resting = resting_child(parent, seen.venues, seen.policy, now_ns)
        if resting.child is not None:
            self.place(parent, resting.child, now_ns)
        else:
            reasons = "; ".join(f"{venue}: {reason}" for venue, reason in resting.reasons.items())
            parent.reason = f"the rest can rest nowhere: {reasons}"

    def place(self, parent: ParentOrder, terms: ChildTerms, now_ns: int) -> None:
        child = ChildOrder(terms, sent_ns=now_ns, since_ns=now_ns, ask_at_ns=now_ns + ANSWER_PATIENCE_NS)
        parent.children[terms.child_id] = child
        self._turn.tell(PlaceChild(terms))

    def end(self, parent: ParentOrder, state: ParentState, now_ns: int) -> None:
        if parent.state is not ParentState.CANCELING and self._state.is_halted and state is not ParentState.REJECTED:
            parent.reason = f"halted: {self._state.halt_reason}" if parent.filled < parent.quantity else parent.reason
        if state is ParentState.FILLED:
            parent.reason = ""
        parent.state = state
        self._turn.touch(parent, now_ns)
        self._funds.ended(parent)
        self._state.open.pop(parent.order_id, None)
        self._state.ended[parent.order_id] = parent
        self._ended[parent.terms.account].append(parent.order_id)
        self._forget(parent.terms.account)

    def _forget(self, account: str) -> None:
        state, ended = self._state, self._ended[account]
        while len(ended) > ENDED_KEPT:
            state.ended.pop(ended.popleft(), None)
        while len(state.taken_ids) > IDS_KEPT + len(state.open):
            del state.taken_ids[next(iter(state.taken_ids))]

    def look(self, parent: ParentOrder, quantity: int, now_ns: int) -> Seen:
        """What is planned on now; it is written down with the event that made us look."""
        request = route_request(parent, quantity, now_ns)
        seen = self.sight.look(request, self._facts_of(request, parent.terms.account))
        seen = seen._replace(policy=self._capped(seen.policy, parent))
        self._turn.seen.append(seen)
        return seen

    def preview(self, request: RouteRequest) -> Seen:
        """The same for a request that is no order. Where there is no account at all, books alone decide."""
        if not self._state.venues:
            return self.sight.look(request, lambda venue, instrument: NO_ACCOUNTS)
        return self.sight.look(request, self._facts_of(request, None))

    def _facts_of(self, request: RouteRequest, account: str | None) -> FactsOf:
        """As far as it is known whose order it is."""

        def facts_of(venue: str, instrument: Instrument) -> VenueFacts:
            if venue != LOCAL_VENUE:
                return self._accounts.facts(venue, instrument, request.side, request.as_of_ns)
            reason = self._local.reason(instrument.name)
            if account is not None and not self._funds.is_participant(account):
                reason = f"{account} has no account in Busan's ledger"
            return VenueFacts(reason, holdings=None, pending=0, confidence=RATE_ONE)

        return facts_of

    def _capped(self, policy: RoutingPolicy, parent: ParentOrder) -> RoutingPolicy:
        """The policy with the account's own cap per venue in it."""
        limits = limits_of(self._state.limits, parent.terms.account)
        instrument = parent.terms.instrument
        most = allowed(limits.venue_open_notional, instrument.quote)
        if most is None:
            return policy
        cap = notional_of(instrument, most)
        venues: Iterable[str] = {*policy.terms, *self._state.venues}
        terms = {}
        for venue in sorted(venues):
            own = policy.of(venue)
            terms[venue] = replace(own, cap_notional=cap if own.cap_notional is None else min(cap, own.cap_notional))
        return replace(policy, terms=terms)


def shortfall(planned: RoutePlan) -> str:
    """Why the plan leaves something."""
    instrument = planned.request.instrument
    reasons = [f"{instrument.show_quantity(part)} for {reason}" for reason, part in planned.unfilled.items()]
    excluded = [f"{venue} is out: {reason}" for venue, reason in planned.excluded.items()]
    return "; ".join([*reasons, *excluded])
