"""What each code of a problem means, and what whoever gets it should do: the words of the documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from aggregator.api.problems import REFUSALS, Code


class Meaning(NamedTuple):
    """With which statuses the code is answered, why, and what to do then."""

    statuses: tuple[int, ...]
    cause: str
    remedy: str


_DETAIL = "Do what `detail` says; the same request is refused again."
_AGAIN = "Send it again later; nothing was done."

_OWN: Mapping[Code, Meaning] = {
    Code.UNKNOWN_ROUTE: Meaning((404,), "There is no such path.", "Look it up in /docs or /openapi.json."),
    Code.UNKNOWN_INSTRUMENT: Meaning((404,), "The instrument is listed nowhere.", "Ask /v1/instruments for those."),
    Code.UNKNOWN_VENUE: Meaning((400, 404), "No venue has this name.", "Ask /v1/venues for those that there are."),
    Code.BAD_PARAMETER: Meaning((400,), "A parameter or a member of the body cannot be so.", _DETAIL),
    Code.METHOD_NOT_ALLOWED: Meaning((405,), "The path takes other methods.", "Use one that `Allow` names."),
    Code.BODY_TOO_LARGE: Meaning((413,), "The body has more bytes than any request needs.", "Send less."),
    Code.URI_TOO_LONG: Meaning((414,), "The path with its query is too long.", "Shorten it to what `detail` says."),
    Code.HEADERS_TOO_LARGE: Meaning((431,), "The request line or a header is too long.", "Send less."),
    Code.REQUEST_TOO_SLOW: Meaning(
        (408,), "The body did not come in time.", "Send it at once; nothing was done, so the same may be sent again."
    ),
    Code.TOO_MANY_CONNECTIONS: Meaning(
        (429,), "The address has too many connections open.", "Use those that are open, and close what is not needed."
    ),
    Code.BAD_REQUEST: Meaning((400,), "The request is not HTTP, or its body is not JSON.", _DETAIL),
    Code.INTERNAL_ERROR: Meaning(
        (500,),
        "A defect of this service, which its log tells of.",
        "Tell its operator. What was asked for may have been done: look before you ask for it again.",
    ),
    Code.NO_KEYS: Meaning((403,), "The service has no keys.", "Its operator names a file of them under `keys`."),
    Code.KEY_REQUIRED: Meaning((401,), "The request is not signed.", "Sign it: /docs and README show how."),
    Code.SIGNATURE_REFUSED: Meaning(
        (401,),
        "There is no such key, or the signature is not its own over what was sent.",
        "Sign exactly what is sent: time, method, path with query, body, each ended by a newline.",
    ),
    Code.REQUEST_EXPIRED: Meaning(
        (401,), "The timestamp is too far from the service's clock.", "Set the clock, and sign at the time of sending."
    ),
    Code.REQUEST_REPEATED: Meaning(
        (401,), "This very request came before.", "Sign anew, with a new timestamp. It may be done already."
    ),
    Code.SCOPE_REQUIRED: Meaning((403,), "The key may not do this.", "Use a key with a scope that `detail` names."),
    Code.CROSS_SITE: Meaning(
        (403,), "Another site may have sent this by cookie.", "Send it from the page itself, or sign it."
    ),
    Code.NOT_SWITCHABLE: Meaning((409,), "The venue cannot be used so far, or not switched like this.", _DETAIL),
    Code.VENUE_REFUSED: Meaning(
        (422,),
        "The venue's file has faults.",
        "Mend each of those that `detail` lists, a line each; nothing was changed.",
    ),
    Code.TOO_MANY_REQUESTS: Meaning((429,), "Too many requests of this key.", "Send more slowly."),
    Code.ADDRESS_REFUSED: Meaning(
        (403,), "The key may not be used from this address.", "Send from an address that the key's file names."
    ),
    Code.KEY_ORDER_NOTIONAL: Meaning(
        (403,), "The order is worth more than an order of this key may be.", "Ask for less, or use another key."
    ),
}

_OF_THE_ENGINE: Mapping[Code, tuple[str, str]] = {
    Code.HALTED: ("The kill switch is on.", "Wait; GET /v1/halt says why it is on. Cancels still leave."),
    Code.RECONCILING: ("A venue's orders and balances are not known yet.", _AGAIN),
    Code.JOURNAL_FAILED: (
        "Nothing can be written down, so nothing is taken on.",
        "Tell the operator. Look for the order by its client order id before you send it again.",
    ),
    Code.UNKNOWN_ORDER: ("The account has no such order that is still kept.", "Look for it in GET /v1/orders."),
    Code.NOT_OPEN: ("The order has ended.", "Nothing is left to do: GET /v1/orders/{id} says how it ended."),
    Code.NOT_AMENDABLE: ("The order cannot become so.", _DETAIL),
    Code.DUPLICATE_CLIENT_ORDER_ID: (
        "The client order id belongs to an order with other terms.",
        "Use a new id for a new order; `order_id` is that of the old one.",
    ),
    Code.BAD_TERMS: ("The terms contradict each other.", _DETAIL),
    Code.CANNOT_REST: ("No venue lets the order rest as it is.", "Change the price, or leave out post_only."),
    Code.FOK_NOT_COVERED: (
        "The live books do not cover all of it at this price.",
        "Ask for less, allow a worse price, or take IOC.",
    ),
    Code.RISK_RATE: ("More orders in a second than the account may place.", "Send more slowly."),
    Code.RISK_ORDER_NOTIONAL: ("The order is worth more than one order may be.", "Ask for less."),
    Code.RISK_OPEN_NOTIONAL: (
        "All open orders together would be worth more than they may be.",
        "Ask for less, or cancel some.",
    ),
    Code.INSUFFICIENT_FUNDS: (
        "The account has less free than this needs.",
        "Ask for less, or have it credited; GET /v1/ledger says what is free.",
    ),
    Code.OFF_TICK: ("The limit price lies between two ticks of Busan's listing.", _DETAIL),
    Code.OFF_LOT: ("The quantity is no multiple of the listing's lot.", _DETAIL),
    Code.OUTSIDE_BAND: ("The limit price is outside the band round the reference price.", _DETAIL),
    Code.BELOW_MINIMUM: ("The quantity is under the listing's minimum.", _DETAIL),
    Code.ABOVE_MAXIMUM: ("The quantity is over the listing's maximum.", _DETAIL),
    Code.BELOW_NOTIONAL: ("Price times quantity is under the listing's minimum.", _DETAIL),
    Code.UNKNOWN_ACCOUNT: ("The ledger has no such account.", "Open it first: POST /v1/ledger with act open."),
    Code.ACCOUNT_TAKEN: ("The account is open already.", "Use it, or choose another name."),
    Code.RESERVED_ACCOUNT: ("The account is one of the ledger's own.", "Name a participant's."),
    Code.CUSTODY_EXCEEDED: (
        "Accounts would own more than custody holds.",
        "Count custody again once the money is there: POST /v1/ledger with act custody.",
    ),
    Code.RISK_COLLAR: ("The limit price is too far from the market.", "Give a price within what `detail` says."),
}

MEANINGS: Mapping[Code, Meaning] = {
    **_OWN,
    **{code: Meaning((REFUSALS[code][0],), cause, remedy) for code, (cause, remedy) in _OF_THE_ENGINE.items()},
}
"""Of every code that there is."""
