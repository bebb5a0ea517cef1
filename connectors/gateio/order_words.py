"""What Gate's words for an order, and for a refusal, mean in ours.

Source: the venue's REST reference v4.106 (statuses, `finish_as`, labels) and websocket document v4 (`event`), state of
May 2026.
"""

from __future__ import annotations

from typing import NamedTuple

from aggregator.domain.errors import FrameRefused
from aggregator.domain.lifecycle import Word
from connectors.gateio.order_wire import ErrorBody, OrderRow
from connectors.trading import Purpose

OPEN_WORDS = frozenset({"open", "put", "update"})
ENDED_WORDS = frozenset({"closed", "cancelled", "finish"})
"""Of `status` and of `event`."""

WOULD_TAKE = "poc"

FINISHES = {
    "open": "",
    "-": "",
    "unknown": "",
    "filled": "filled",
    "cancelled": "canceled by request",
    "ioc": "immediate or cancel: the rest was dropped",
    "fok": "fill or kill: it could not be filled whole",
    WOULD_TAKE: "post-only, and it would have taken",
    "stp": "canceled: it would have traded with another order of ours",
    "small": "canceled: too small",
    "depth_not_enough": "canceled: the book was not deep enough",
    "trader_not_enough": "canceled: too few counterparties",
    "liquidate_cancelled": "canceled by a liquidation",
    "price_protect_cancelled": "canceled by the venue's price protection",
}
"""`finish_as`, with the reason for people."""

FUNDS = "not enough funds"
NUMBERS = "a number breaks the market's rules"
FORM = "the request breaks the venue's rules"
CREDENTIALS = "the venue does not accept the credentials"
PERMISSION = "the key may not do this, or not from this address"

REFUSED = {
    "BALANCE_NOT_ENOUGH": FUNDS,
    "QUANTITY_NOT_ENOUGH": FUNDS,
    "INVALID_PRECISION": NUMBERS,
    "AMOUNT_TOO_LITTLE": NUMBERS,
    "AMOUNT_TOO_MUCH": NUMBERS,
    "PRICE_THRESHOLD_EXCEEDED": "the price is too far from the market",
    "INVALID_PARAM_VALUE": FORM,
    "INVALID_ARGUMENT": FORM,
    "MISSING_REQUIRED_PARAM": FORM,
    "INVALID_CURRENCY_PAIR": "the venue has no such market",
    "ORDER_BOOK_NOT_FOUND": "the venue has no such market",
    "POC_FILL_IMMEDIATELY": FINISHES[WOULD_TAKE],
    "REQUEST_EXPIRED": "it arrived too late, or our clock is more than a minute off the venue's",
    "INVALID_SIGNATURE": CREDENTIALS,
    "INVALID_KEY": CREDENTIALS,
    "MISSING_REQUIRED_HEADER": CREDENTIALS,
    "IP_FORBIDDEN": PERMISSION,
    "READ_ONLY": PERMISSION,
    "FORBIDDEN": PERMISSION,
}
"""Labels with which nothing of the request was done."""

NOT_FOUND = frozenset({"ORDER_NOT_FOUND", "CLIENT_ID_NOT_FOUND"})
ENDED_BEFORE = frozenset({"ORDER_CLOSED", "ORDER_CANCELLED", "CANCEL_FAIL"})
DUPLICATE = frozenset({"REPEATED_CREATION", "ORDER_EXISTS", "DUPLICATE_REQUEST"})
TURNED_AWAY = frozenset({"TOO_MANY_REQUESTS", "TOO_FAST"})
NOT_FILLED_WHOLE = "FOK_NOT_FILL"


class Said(NamedTuple):
    word: Word
    raw: str
    reason: str


def of_order(row: OrderRow) -> Said:
    """Raises FrameRefused for words that the venue does not document."""
    told = row.status or row.event or ""
    finish = row.finish_as or "-"
    if finish not in FINISHES:
        raise FrameRefused(f"order {row.id}: finish_as {finish[:40]!r} is not documented")
    if not told:
        return Said(Word.RECEIVED, "ACK", "")
    if told in OPEN_WORDS:
        return Said(Word.WORKING, told, "")
    if told in ENDED_WORDS:
        return Said(Word.ENDED, finish if FINISHES[finish] else told, FINISHES[finish])
    raise FrameRefused(f"order {row.id}: {told[:40]!r} is not documented as a status or an event")


def of_refusal(purpose: Purpose, status: int, error: ErrorBody) -> Said:
    """The label decides, and HTTP's status where there is none. A question that is refused says nothing of the order
    that it is about."""
    label = error.label
    raw = label or f"HTTP {status}"
    detail = error.message or error.detail or ""
    reason = ": ".join(part for part in (REFUSED.get(label, ""), raw, detail) if part)
    if purpose is Purpose.ORDER:
        return Said(Word.MISSING if label in NOT_FOUND else Word.IN_DOUBT, raw, reason)
    if label in TURNED_AWAY or (status == 429 and not label):
        return Said(Word.NOT_SENT, raw, reason)
    if label in REFUSED or (purpose is Purpose.CANCEL and label in NOT_FOUND | ENDED_BEFORE):
        return Said(Word.REJECTED, raw, reason)
    if purpose is Purpose.PLACE and label == NOT_FILLED_WHOLE:
        return Said(Word.ENDED, raw, FINISHES["fok"])
    if purpose is Purpose.PLACE and label in DUPLICATE:
        return Said(Word.IN_DOUBT, raw, f"an order of this id is there already, perhaps this one: {reason}")
    return Said(Word.IN_DOUBT, raw, reason)
