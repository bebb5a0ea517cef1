"""Our accounts at the venues: balances held against our own fills, reconciliation, and how a venue conducts itself."""

from __future__ import annotations

from collections.abc import Callable

from aggregator.domain.effects import Alarm, AskAccount, OrderEffect
from aggregator.domain.instrument import Fees, Instrument, Side
from aggregator.domain.lifecycle import ChildState
from aggregator.domain.local import LOCAL_VENUE
from aggregator.domain.numbers import format_decimal
from aggregator.domain.order import ASSET_DECIMALS, ChildOrder, Fill
from aggregator.domain.order_events import AccountStream, BalancesRead, FeesRead, OpenOrdersRead
from aggregator.engine.order_state import OrderState, VenueAccount, changes_of
from aggregator.engine.sight import VenueFacts
from aggregator.routing.execution import SECOND

ASK_EVERY_NS = 5 * SECOND
"""How often an account is asked for while it is not reconciled."""

CHECK_EVERY_NS = 60 * SECOND
"""How often balances are read all the same, to hold them against our fills."""

IN_DOUBT = (ChildState.SUBMITTED, ChildState.ACCEPTED, ChildState.UNKNOWN, ChildState.SETTLING)


class VenueAccounts:
    def __init__(self, state: OrderState, tell: Callable[[OrderEffect], None]) -> None:
        self._state = state
        self._tell = tell

    def started(self, venues: tuple[str, ...], now_ns: int) -> None:
        """All that the venues have told before is to be asked for again; what our fills came to is kept."""
        accounts = self._state.venues
        for venue in [venue for venue in accounts if venue not in venues]:
            accounts[venue].is_reconciled = False
        for venue in venues:
            self._begin(venue, accounts.setdefault(venue, VenueAccount()), now_ns)

    def joined(self, venue: str, now_ns: int) -> None:
        """Orders can go there as well from now on, once it is reconciled."""
        if venue not in self._state.venues:
            account = self._state.venues[venue] = VenueAccount()
            self._begin(venue, account, now_ns)

    def returned(self, venue: str, now_ns: int) -> None:
        """Followed again after it was off: what happened there meanwhile is to be asked for."""
        account = self._state.venues.get(venue)
        if account is not None:
            self._begin(venue, account, now_ns)

    def _begin(self, venue: str, account: VenueAccount, now_ns: int) -> None:
        account.is_stream_live = account.are_balances_read = account.are_orders_read = False
        account.is_reconciled = False
        if not self._state.is_off(venue):
            self._ask(venue, account, now_ns)

    def balances_read(self, event: BalancesRead) -> None:
        account = self._account(event.venue)
        told = dict(event.balances) if event.is_whole else {**account.told, **event.balances}
        is_first = not account.expected and event.is_whole
        account.told = told
        if not event.is_whole:
            return
        account.are_balances_read = True
        if is_first:
            account.expected = {asset: balance.total for asset, balance in told.items()}
        elif account.moved_ns < account.asked_ns and next(self._state.live_children(event.venue), None) is None:
            self._compare(event.venue, account)

    def orders_read(self, event: OpenOrdersRead) -> None:
        account = self._account(event.venue)
        account.are_orders_read = True
        if event.foreign:
            text = (
                f"{len(event.foreign)} open orders there are not ours, such as {event.foreign[0]}; they are left alone"
            )
            self._tell(Alarm("foreign_orders", text, event.venue))

    def fees_read(self, event: FeesRead) -> None:
        self._state.fees[f"{event.venue} {event.instrument.name}"] = event.maker, event.taker

    def stream_changed(self, event: AccountStream) -> None:
        account = self._account(event.venue)
        account.is_stream_live, account.stream_reason = event.is_live, event.reason
        if event.is_live:
            # What was told while nobody listened is not told again.
            self._ask(event.venue, account, event.received_ns)

    def booked(self, fill: Fill) -> None:
        """What it does to the account there; that at Busan is the ledger's."""
        if fill.venue == LOCAL_VENUE:
            return
        account = self._account(fill.venue)
        account.moved_ns = fill.received_ns
        expected = account.expected
        for asset, change in changes_of(fill).items():
            expected[asset] = expected.get(asset, 0) + change

    def ended(self, child: ChildOrder) -> None:
        if child.terms.venue != LOCAL_VENUE:
            self._account(child.terms.venue).conduct.ended(child.filled, child.terms.quantity)

    def turned_away(self, child: ChildOrder, reason: str, now_ns: int, *, is_reject: bool) -> None:
        if child.terms.venue != LOCAL_VENUE:
            self._account(child.terms.venue).conduct.turned_away(reason, now_ns, is_reject=is_reject)

    def facts(self, venue: str, instrument: Instrument, side: Side, now_ns: int) -> VenueFacts:
        account = self._state.venues.get(venue)
        switched = self._state.switches.get(venue)
        closed = switched.closed_reason if switched is not None else None
        if account is None:
            return VenueFacts(closed or "no account there", None, 0, 0, is_closed=closed is not None)
        reason = account.conduct.complaint(now_ns)
        if not account.is_reconciled:
            reason = self.unreconciled_reason(venue)
        reason = closed or reason
        fees = self._state.fees.get(f"{venue} {instrument.name}")
        return VenueFacts(
            reason,
            self._state.holdings(venue, instrument),
            self._state.pending(venue, instrument, side),
            account.conduct.confidence(),
            Fees(*fees) if fees else None,
            is_closed=closed is not None,
        )

    def reconcile(self, now_ns: int) -> None:
        """A venue is reconciled when it has told balances and open orders, and nothing of ours there is in doubt."""
        for venue, account in self._state.venues.items():
            if account.is_reconciled or not (account.are_balances_read and account.are_orders_read):
                continue
            if not any(child.state in IN_DOUBT for child in self._state.live_children(venue)):
                account.is_reconciled = True
                account.ask_at_ns = now_ns + CHECK_EVERY_NS

    def reconciling(self) -> dict[str, str]:
        """The venues that are not reconciled, with the reason; one that is off need not be."""
        return {
            venue: self.unreconciled_reason(venue)
            for venue, account in self._state.venues.items()
            if not (account.is_reconciled or self._state.is_off(venue))
        }

    def unreconciled_reason(self, venue: str) -> str:
        account = self._state.venues[venue]
        if not account.are_balances_read:
            return "not reconciled: its balances are not read yet"
        if not account.are_orders_read:
            return "not reconciled: its open orders are not read yet"
        return "not reconciled: children there are in doubt"

    def due(self, now_ns: int) -> None:
        for venue, account in self._state.venues.items():
            if account.ask_at_ns and account.ask_at_ns <= now_ns and not self._state.is_off(venue):
                self._ask(venue, account, now_ns)

    def wake_at_ns(self) -> int | None:
        accounts = self._state.venues.items()
        asks = (account.ask_at_ns for venue, account in accounts if not self._state.is_off(venue))
        return min((ask_at_ns for ask_at_ns in asks if ask_at_ns), default=None)

    def _ask(self, venue: str, account: VenueAccount, now_ns: int) -> None:
        account.asked_ns = now_ns
        account.ask_at_ns = now_ns + (CHECK_EVERY_NS if account.is_reconciled else ASK_EVERY_NS)
        self._tell(AskAccount(venue))

    def _compare(self, venue: str, account: VenueAccount) -> None:
        """With nothing of ours open there, the venue's word and our fills must agree to the last unit. What differs is
        someone else's doing (a deposit, a hand order): it is told, and taken over."""
        told = {asset: balance.total for asset, balance in account.told.items()}
        for asset in sorted(told.keys() | account.expected.keys()):
            has, should = told.get(asset, 0), account.expected.get(asset, 0)
            if has != should:
                account.differences += 1
                shown, wanted = format_decimal(has, ASSET_DECIMALS), format_decimal(should, ASSET_DECIMALS)
                self._tell(Alarm("balance_differs", f"{shown} {asset} at {venue}; our fills come to {wanted}", venue))
                account.expected[asset] = has

    def _account(self, venue: str) -> VenueAccount:
        return self._state.venues.setdefault(venue, VenueAccount())
