"""What participants' orders do to the ledger: what they may cost is held, their fills settle out of that, and what is
left goes free when they end.

An account that the ledger does not know trades the house's own money at partner venues; Busan's own books are closed to
it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aggregator.books.ledger import Ledger
from aggregator.books.ledger_refusals import LedgerRefused
from aggregator.books.settlement import CUSTODY, FEES, HOUSE
from aggregator.domain.effects import Alarm, OrderEffect, RequestAnswered
from aggregator.domain.instrument import Fees
from aggregator.domain.local import LOCAL_VENUE, Traded
from aggregator.domain.order import ChildOrder, Fill, ParentOrder
from aggregator.domain.order_events import LedgerRequested
from aggregator.domain.plan import VenueDepth
from aggregator.routing.risk import Refusal

OWN = (CUSTODY, FEES, HOUSE)


class Funds:
    def __init__(self, ledger: Ledger, tell: Callable[[OrderEffect], None]) -> None:
        self.ledger = ledger
        self._tell = tell

    def is_participant(self, account: str) -> bool:
        return account in self.ledger.accounts and account not in OWN

    def requested(self, event: LedgerRequested) -> None:
        try:
            self.ledger.requested(event)
        except LedgerRefused as error:
            self._tell(RequestAnswered((), error.code, str(error)))
        else:
            self._tell(RequestAnswered())

    def hold(self, parent: ParentOrder, venues: Sequence[VenueDepth]) -> Refusal | None:
        """Hold what the order may cost at most; why it cannot be had otherwise. Without any price nothing will be
        sent, and nothing is held."""
        terms, price = parent.terms, parent.limit_price or parent.bound_price
        if price is None or not self.is_participant(terms.account):
            return None
        fee = max((max(depth.listing.fees.maker, depth.listing.fees.taker) for depth in venues), default=0)
        return self._refused(
            lambda: self.ledger.hold(
                parent.order_id, terms.account, terms.instrument, terms.side, parent.quantity, price, fee
            )
        )

    def amend(self, parent: ParentOrder, quantity: int, price: int) -> Refusal | None:
        """The order is to have so much in all, at this limit price."""
        if parent.order_id not in self.ledger.holds:
            return None
        return self._refused(lambda: self.ledger.amend_hold(parent.order_id, quantity - parent.filled, price))

    def settle(self, trade: Traded, fees: Fees, maker: ParentOrder, taker: ParentOrder) -> None:
        """Both sides of a local trade at once."""
        self._settled(lambda: self.ledger.settle(trade, fees, maker.order_id, taker.order_id), trade.trade_id, taker)

    def filled(self, parent: ParentOrder, child: ChildOrder, fill: Fill) -> None:
        """A fill of the house at a partner venue is passed on to the participant whose order it was for, in another
        quote at the rate that it was planned with."""
        if fill.venue != LOCAL_VENUE and self.is_participant(parent.terms.account):
            rate = child.terms.rate
            self._settled(lambda: self.ledger.settle_outside(fill, parent.order_id, rate), fill.fill_id, parent)

    def ended(self, parent: ParentOrder) -> None:
        if parent.order_id in self.ledger.holds:
            self.ledger.release(parent.order_id)

    def _refused(self, change: Callable[[], object]) -> Refusal | None:
        try:
            change()
        except LedgerRefused as error:
            return Refusal(error.code, str(error))
        return None

    def _settled(self, settle: Callable[[], object], what: str, parent: ParentOrder) -> None:
        """What cannot be settled has happened all the same: a person has to put the ledger right."""
        try:
            settle()
        except LedgerRefused as error:
            text = f"{what} is not settled in the ledger: {error}"
            self._tell(Alarm("unsettled", text, LOCAL_VENUE, parent.order_id))
