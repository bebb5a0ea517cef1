"""The engine's requests, handed to the account that they are for."""

from __future__ import annotations

from collections.abc import Sequence

from aggregator.domain.effects import AskAccount, AskChild, AskFills, CancelChild, OrderRequest, PlaceChild
from connectors.account import AccountMachine
from connectors.outcomes import AccountEvent, never_left
from connectors.trading import Errand, Purpose


def submit(account: AccountMachine | None, venue: str, request: OrderRequest, now_ns: int) -> Sequence[AccountEvent]:
    """What is known at once of what was asked. Without an account it is that nothing of it leaves."""
    if account is None:
        return never_left(venue, _errand(request), "no account is configured for this venue", now_ns)
    match request:
        case PlaceChild(terms):
            return account.place(terms, now_ns)
        case CancelChild(terms, venue_order_id):
            return account.cancel(terms, venue_order_id, now_ns)
        case AskChild(terms, venue_order_id, sent_ns):
            return account.ask_order(terms, venue_order_id, sent_ns, now_ns)
        case AskFills(terms, venue_order_id, sent_ns):
            return account.ask_fills(terms, venue_order_id, sent_ns, now_ns)
        case AskAccount():
            return account.ask_account(now_ns)


def _errand(request: OrderRequest) -> Errand:
    match request:
        case PlaceChild(terms):
            return Errand(Purpose.PLACE, terms)
        case CancelChild(terms, venue_order_id):
            return Errand(Purpose.CANCEL, terms, venue_order_id)
        case AskChild(terms, venue_order_id, sent_ns):
            return Errand(Purpose.ORDER, terms, venue_order_id, sent_ns)
        case AskFills(terms, venue_order_id, sent_ns):
            return Errand(Purpose.FILLS, terms, venue_order_id, sent_ns)
        case AskAccount():
            return Errand(Purpose.BALANCES)
