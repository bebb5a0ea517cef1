"""The order side: requests, plans, children, fills. Deterministic: the same events, seeing the same depth, give the
same orders, the same ids and the same effects."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from aggregator.books.ledger import Ledger
from aggregator.domain.documents import from_document, to_document
from aggregator.domain.effects import (
    Alarm,
    AskChild,
    AskFills,
    CancelChild,
    LocalHappened,
    OrderEffect,
    PlaceChild,
    RequestAnswered,
)
from aggregator.domain.errors import BrokenInvariant, DocumentRefused
from aggregator.domain.instrument import Instruments
from aggregator.domain.lifecycle import ChildState, Word
from aggregator.domain.local import LOCAL_VENUE, Left, LocalEvent, Refused, Rested, Traded
from aggregator.domain.order import ChildOrder, Fill, Liquidity, ParentOrder, ParentState
from aggregator.domain.order_events import (
    About,
    AccountStream,
    AmendRequested,
    Balance,
    BalancesRead,
    BookTurned,
    CancelAllRequested,
    CancelRequested,
    ExecutionReport,
    FeesRead,
    FillReported,
    HaltSwitched,
    LedgerRequested,
    ListingSet,
    OpenOrdersRead,
    OrderEvent,
    OrderRequested,
    Started,
    Timer,
)
from aggregator.domain.plan import RouteRequest
from aggregator.domain.switches import VenueSwitched
from aggregator.engine.children import Children
from aggregator.engine.funds import Funds
from aggregator.engine.local_venue import LocalVenue, ReduceChild, Show, local_fill, local_report
from aggregator.engine.order_state import OrderState, taken
from aggregator.engine.parents import Parents
from aggregator.engine.requests import Requests
from aggregator.engine.sight import Sight
from aggregator.engine.switches import Switches
from aggregator.engine.turn import Turn
from aggregator.engine.venue_accounts import VenueAccounts
from aggregator.routing.execution import SECOND, ended_as
from aggregator.routing.record import Seen

GATE_PATIENCE_NS = 30 * SECOND
"""A venue that has not been reconciled this long after the start does not hold up the others any more; it stays out."""

PARTS = ("orders", "local", "ledger")
"""Of the document of all that is known."""


class Orders:
    """`apply` is the only way to change anything. `sight` may be changed between two events. `show` tells the market
    what Busan's own books show."""

    def __init__(self, sight: Sight, show: Show) -> None:
        self._turn = Turn()
        self._show = show
        self._build(OrderState(), Ledger(), sight)

    @property
    def sight(self) -> Sight:
        return self._parents.sight

    @sight.setter
    def sight(self, sight: Sight) -> None:
        self._parents.sight = sight

    @property
    def parents(self) -> Mapping[str, ParentOrder]:
        """By order id."""
        return ChainMap(self.state.open, self.state.ended)

    @property
    def balances(self) -> dict[str, dict[str, Balance]]:
        """By venue and asset, as the venues told them last."""
        return {venue: account.told for venue, account in self.state.venues.items()}

    @property
    def expected(self) -> dict[str, dict[str, int]]:
        """By venue and asset, what our own fills come to since the venue's first word, on ASSET_DECIMALS."""
        return {venue: account.expected for venue, account in self.state.venues.items()}

    @property
    def is_halted(self) -> bool:
        return self.state.is_halted

    @property
    def halt_reason(self) -> str:
        return self.state.halt_reason

    @property
    def reconciling(self) -> dict[str, str]:
        """The venues that are not reconciled, with the reason."""
        return self._accounts.reconciling()

    def find(self, account: str, client_order_id: str) -> ParentOrder | None:
        order_id = self.state.taken_ids.get(taken(account, client_order_id))
        return self.state.parent(order_id) if order_id else None

    def fills(self, account: str) -> Iterator[Fill]:
        """The account's own, those of all accounts for `*`, in the order of their time."""
        fills = [
            fill
            for parent in self.parents.values()
            if account in ("*", parent.terms.account)
            for child in parent.children.values()
            for fill in child.fills.values()
        ]
        return iter(sorted(fills, key=lambda fill: (fill.received_ns, fill.child_id, fill.fill_id)))

    def preview(self, request: RouteRequest) -> Seen:
        """What a request of now would be planned on, accounts and all. Nothing is changed or written down by it."""
        return self._parents.preview(request)

    def document(self) -> dict[str, Any]:
        """All that is known, as a plain document: what a snapshot stores and a digest is made of."""
        return {
            "orders": to_document(self.state),
            "local": self.local.document(),
            "ledger": self.ledger.document(),
        }

    def restore(self, document: Mapping[str, Any], instruments: Instruments) -> None:
        """Raises DocumentRefused for one of another make."""
        if document.keys() != set(PARTS):
            raise DocumentRefused(f"a state has {', '.join(PARTS)}; this one has {', '.join(document)}")
        state = from_document(OrderState, document["orders"], instruments)
        self._build(state, Ledger.restore(document["ledger"], instruments), self.sight)
        self.local.restore(document["local"], instruments, state.started_ns)

    def take_seen(self) -> list[Seen]:
        """What was looked at since the last call."""
        seen, self._turn.seen = self._turn.seen, []
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

    @property
    def ledger(self) -> Ledger:
        """Who owns what. It is only read from outside."""
        return self._funds.ledger

    def apply(self, event: OrderEvent) -> Sequence[OrderEffect]:
        self._turn.begin()
        self._dispatch(event)
        self._match(event.received_ns)
        self._switches.settle(event.received_ns)
        self._open_gate(event.received_ns)
        return self._turn.end()

    def _build(self, state: OrderState, ledger: Ledger, sight: Sight) -> None:
        turn = self._turn
        self.state = state
        self.local = LocalVenue(self._show)
        self._funds = Funds(ledger, turn.tell)
        self._accounts = VenueAccounts(state, turn.tell)
        self._children = Children(state, self._accounts, turn.tell)
        self._parents = Parents(state, turn, self._accounts, self.local, self._funds, sight)
        self._switches = Switches(state, turn, self._accounts, self._children)
        self._requests = Requests(state, turn, self._parents, self._children, self._accounts, self._funds, self.local)

    def _dispatch(self, event: OrderEvent) -> None:
        requests, accounts = self._requests, self._accounts
        match event:
            case ExecutionReport():
                self._reported(event)
            case FillReported():
                self._filled(event)
            case Timer():
                self._due(event.now_ns)
            case OrderRequested():
                requests.place(event)
            case CancelRequested():
                requests.cancel(event)
            case CancelAllRequested():
                requests.cancel_all(event)
            case AmendRequested():
                requests.amend(event)
            case HaltSwitched():
                requests.halt(event)
            case VenueSwitched():
                self._switches.switch(event)
            case BalancesRead():
                accounts.balances_read(event)
            case OpenOrdersRead():
                accounts.orders_read(event)
                self._listed(event)
            case FeesRead():
                accounts.fees_read(event)
            case AccountStream():
                accounts.stream_changed(event)
                self._ask_after_silence(event)
            case Started():
                self._started(event)
            case ListingSet():
                self._happened(self.local.list(event), event.received_ns)
            case BookTurned():
                self._happened(self.local.turn(event), event.received_ns)
                self._turn.tell(RequestAnswered())
            case LedgerRequested():
                self._funds.requested(event)

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
            self._funds.filled(parent, child, event.fill)
            self._after_child(parent, child, event.received_ns)

    def _after_child(self, parent: ParentOrder, child: ChildOrder, now_ns: int) -> None:
        self._turn.touch(parent, now_ns)
        if not parent.is_open:
            self._revise(parent, child)
        self._parents.advance(parent, now_ns)

    def _revise(self, parent: ParentOrder, child: ChildOrder) -> None:
        """Something came after the end. A child that lives again opens its parent, but nothing new is sent for it."""
        if not child.has_ended:
            self.state.ended.pop(parent.order_id, None)
            self.state.open[parent.order_id] = parent
            parent.state = ParentState.CANCELING
        elif parent.state is not ParentState.REJECTED:
            parent.state = ended_as(parent)

    def _match(self, now_ns: int) -> None:
        """Answer what was asked of the local venue, and what comes of the answers, until nothing is left to ask."""
        asked = self._turn.asked_locally
        while asked:
            request = asked.popleft()
            found = self._children.find(request.terms.child_id)
            if found is None:
                continue
            parent, child = found
            match request:
                case PlaceChild():
                    self._happened(self.local.place(request, parent.terms.account, now_ns), now_ns)
                case CancelChild():
                    self._happened(self.local.cancel(request, now_ns), now_ns)
                case ReduceChild():
                    child.terms = replace(child.terms, quantity=child.filled + request.left)
                    self._happened(self.local.reduce(request, now_ns), now_ns)
                case AskChild() | AskFills():
                    is_there = self.local.rests(child.terms.instrument.name, child.terms.child_id)
                    word = Word.WORKING if is_there else Word.ENDED
                    self._reported(local_report(child, word, About.ASK, "", now_ns))

    def _happened(self, events: Sequence[LocalEvent], now_ns: int) -> None:
        """Each event moves the children that it is about, before the next is looked at."""
        for event in events:
            self._turn.tell(LocalHappened(event))
            match event:
                case Traded():
                    self._traded(event)
                case Rested():
                    self._locally(event.order_id, Word.WORKING, "resting", now_ns)
                case Left():
                    self._locally(event.order_id, Word.ENDED, event.reason, now_ns)
                case Refused():
                    self._locally(event.order_id, Word.REJECTED, f"{event.code}: {event.detail}", now_ns)

    def _traded(self, trade: Traded) -> None:
        """The ledger first, both sides at once; then each side's fill, that of the order that rested first."""
        maker, taker = self._children.find(trade.maker_id), self._children.find(trade.taker_id)
        if maker is None or taker is None:
            raise BrokenInvariant(f"{trade.trade_id} is between {trade.maker_id} and {trade.taker_id}: one is unknown")
        rules = self.local.books[trade.instrument.name].rules
        self._funds.settle(trade, rules.fees, maker[0], taker[0])
        for (_, child), liquidity in ((maker, Liquidity.MAKER), (taker, Liquidity.TAKER)):
            fill = local_fill(trade, child, rules, liquidity)
            self._filled(FillReported(trade.at_ns, fill, child.terms.child_id))

    def _locally(self, child_id: str, word: Word, raw: str, now_ns: int) -> None:
        found = self._children.find(child_id)
        if found is not None:
            about = About.PLACE if word is Word.REJECTED else About.STREAM
            self._reported(local_report(found[1], word, about, raw, now_ns))

    def _unknown_child(self, child_id: str, venue: str) -> None:
        text = f"{venue} tells of {child_id}, of which there is no record; is another service using this account?"
        self._turn.tell(Alarm("unknown_child", text, venue))

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

    def _due(self, now_ns: int) -> None:
        for child in list(self.state.live_children()):
            if child.ask_at_ns and child.ask_at_ns <= now_ns:
                self._children.due(child, now_ns)
                self._turn.touch(self.state.open[child.terms.order_id], now_ns)
        self._accounts.due(now_ns)

    def _started(self, event: Started) -> None:
        state = self.state
        state.instance, state.started_ns, state.limits = event.instance, event.received_ns, dict(event.limits)
        state.is_gate_open = not event.venues
        self._accounts.started(event.venues, event.received_ns)
        for child in list(state.live_children()):
            if child.terms.venue == LOCAL_VENUE:
                continue  # its book is as well known as the child itself
            child.asks = 0
            child.is_cancel_sent = False
            self._children.doubt(child, "the service ended while it was live", event.received_ns)
            self._turn.touch(state.open[child.terms.order_id], event.received_ns)

    def _open_gate(self, now_ns: int) -> None:
        """Once every venue is reconciled, and let go on what waited for that."""
        self._accounts.reconcile(now_ns)
        state = self.state
        if state.is_gate_open or not state.started_ns:
            return
        is_late = now_ns >= state.started_ns + GATE_PATIENCE_NS
        if is_late or not self._accounts.reconciling():
            state.is_gate_open = True
            for parent in list(state.open.values()):
                self._parents.advance(parent, now_ns)
