"""What HTX's order states and error codes come to in our words.

Source: the tables of states and error codes in the venue's spot API documentation, with the codes that its clients
meet besides.

 1. `created` is not in the matching queue yet; `canceling` still is.
 2. `base-record-invalid` says both that there is no such order and that it could not be read just now: it is only
    believed of a question, where several answers have to agree.
 3. A client order id that was used before is told by `invalid-client-order-id`, as far as it is told at all: the first
    sending may have got through.
 4. A refusal of a question says nothing of the order that it was about.
"""

from __future__ import annotations

from enum import StrEnum

from aggregator.domain.errors import FrameRefused
from aggregator.domain.lifecycle import Word
from connectors.trading import Purpose

STATES = {
    "created": Word.RECEIVED,  # rule 1
    "submitted": Word.WORKING,
    "partial-filled": Word.WORKING,
    "canceling": Word.WORKING,  # rule 1
    "filled": Word.ENDED,
    "partial-canceled": Word.ENDED,
    "canceled": Word.ENDED,
    "rejected": Word.REJECTED,
}

STATE_NUMBERS = {
    -1: "closed long ago",
    1: "created",
    3: "submitted",
    4: "partial-filled",
    5: "partial-canceled",
    6: "filled",
    7: "canceled",
    10: "canceling",
}
"""How answers to a cancel number the states."""

CANCELING = 10


class Kind(StrEnum):
    REFUSED = "refused"
    """For what it asks."""
    UNAUTHENTICATED = "unauthenticated"
    ABSENT = "absent"
    """No such order."""
    TURNED_AWAY = "turned_away"
    """Not looked at: too many requests."""
    UNCERTAIN = "uncertain"
    """Something failed inside the venue, or the code is not documented: done or not done, nobody knows."""
    DUPLICATE = "duplicate"


_REFUSED = """
    account-account-id-inexistent
    account-frozen-balance-insufficient-error
    account-get-accounts-inexistent-error
    account-state-invalid
    bad-request
    base-argument-unsupported
    base-operation-forbidden
    base-symbol-error
    base-symbol-trade-disabled
    cancel-disabled
    fl-order-already-existed
    forbidden
    forbidden-trade-for-open-protect
    invalid-amount
    invalid-parameter
    invalid-symbol
    market-orders-not-support-during-limit-price-trading
    operation-forbidden-for-fl-account-state
    operation-forbidden-for-lock-account-state
    order-accountbalance-error
    order-amount-over-limit
    order-disabled
    order-etp-nav-price-max-error
    order-etp-nav-price-min-error
    order-fl-cancellation-is-disallowed
    order-holding-limit-failed
    order-invalid-price
    order-limitorder-amount-max-error
    order-limitorder-amount-min-error
    order-limitorder-price-buy-max-error
    order-limitorder-price-buy-min-error
    order-limitorder-price-max-error
    order-limitorder-price-min-error
    order-limitorder-price-sell-max-error
    order-limitorder-price-sell-min-error
    order-marketorder-amount-buy-max-error
    order-marketorder-amount-min-error
    order-marketorder-amount-sell-max-error
    order-orderamount-precision-error
    order-orderprice-precision-error
    order-orderstate-error
    order-price-greater-than-limit
    order-price-less-than-limit
    order-source-invalid
    order-stop-order-hit-trigger
    order-type-invalid
    order-user-cancel-forbidden
    order-value-min-error
    parameter-required
    price-exceeds-the-protective-price-during-limit-price-trading
    require-symbol
    sub-user-auth-required
    symbol-not-support
    validation-constraints-required
    validation-format-error
"""

CODES: dict[str, Kind] = {
    **dict.fromkeys(_REFUSED.split(), Kind.REFUSED),
    **dict.fromkeys(("api-signature-not-valid", "api-signature-check-failed", "login-required"), Kind.UNAUTHENTICATED),
    **dict.fromkeys(("not-found", "base-not-found", "order-queryorder-invalid", "base-record-invalid"), Kind.ABSENT),
    **dict.fromkeys(
        ("base-request-exceed-frequency-limit", "rate-too-many-requests", "too-many-requests", "510", "429"),
        Kind.TURNED_AWAY,
    ),
    **dict.fromkeys(
        (
            "gateway-internal-error",
            "system-maintenance",
            "base-request-timeout",
            "timeout",
            "base-system-error",
            "order-update-error",
        ),
        Kind.UNCERTAIN,
    ),
    **dict.fromkeys(("invalid-client-order-id", "invalid.client.order.id"), Kind.DUPLICATE),  # rule 3
}

_WORDS: dict[Purpose, dict[Kind, Word]] = {
    Purpose.PLACE: {
        Kind.REFUSED: Word.REJECTED,
        Kind.UNAUTHENTICATED: Word.REJECTED,
        Kind.TURNED_AWAY: Word.NOT_SENT,
    },
    Purpose.CANCEL: {
        Kind.REFUSED: Word.REJECTED,
        Kind.UNAUTHENTICATED: Word.REJECTED,
        Kind.ABSENT: Word.REJECTED,
        Kind.TURNED_AWAY: Word.NOT_SENT,
    },
    Purpose.ORDER: {Kind.ABSENT: Word.MISSING},  # rules 2 and 4
}

_EXPLAINED = {
    Kind.UNAUTHENTICATED: "the key, its signature or our clock (five minutes at most) is wrong",
    Kind.DUPLICATE: "the client order id was used before",
}


def word_of(state: str) -> Word:
    """Raises FrameRefused for a state that the venue does not document."""
    word = STATES.get(state)
    if word is None:
        raise FrameRefused(f"order state {state!r} is none of {', '.join(STATES)}")
    return word


def kind_of(code: str, text: str = "") -> Kind:
    """`text` tells a rate limit that hides behind a code for something else."""
    if text == "request limit":
        return Kind.TURNED_AWAY
    return CODES.get(code, Kind.UNCERTAIN)


def refusal_word(purpose: Purpose, kind: Kind) -> Word:
    """What a refusal of this kind says of the order that a PLACE, CANCEL or ORDER is about."""
    return _WORDS[purpose].get(kind, Word.IN_DOUBT)


def reason_of(kind: Kind, code: str, text: str) -> str:
    """For people."""
    told = f"{code}: {text}" if text and text != code else code
    return f"{told} ({_EXPLAINED[kind]})" if kind in _EXPLAINED else told
