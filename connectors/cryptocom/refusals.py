"""Crypto.com's codes: what each says, and what it means for the child that a request was about.

Source: the table of response and reason codes in the venue's Exchange v1 documentation, state of May 2026, and two
codes that only clients have seen (325, 9010001). They come as `code` of an answer and as `reason` of an order.

 1. The HTTP status says nothing: 306 or 316 come with 500, an unknown order with 200.
 2. Refused for being too many, nothing was looked at.
 3. What says that an id or a request came twice does not say what became of the first: it may be in the book.
 4. Time-outs, internal errors and maintenance leave open whether anything was done.
 5. An immediate order that was killed is over; how much it filled before is not said.
 6. Asked after an order, only these say that there is none. Any other refusal is about the question, not the order.
 7. All else was looked at and refused, and nothing was done.
"""

from __future__ import annotations

from aggregator.domain.lifecycle import Word
from connectors.trading import Purpose

TEXTS = {
    "201": "no position",
    "202": "the account is suspended",
    "203": "the accounts do not match",
    "204": "the client order id was used before",
    "205": "the venue's order id was used before",
    "206": "the instrument has expired",
    "207": "no mark price",
    "208": "the instrument is not tradable",
    "209": "no such instrument",
    "210": "the account is invalid",
    "211": "the currency is invalid",
    "212": "the order id is invalid",
    "213": "the quantity is invalid",
    "214": "the settlement currency is invalid",
    "215": "the fee currency is invalid",
    "216": "the position's quantity is invalid",
    "217": "the open quantity is invalid",
    "218": "the order type is invalid",
    "219": "the execution instruction is invalid",
    "220": "the side is invalid",
    "221": "the time in force is invalid",
    "222": "the mark price is stale",
    "223": "no client order id",
    "224": "refused by the matching engine",
    "225": "over the greatest leverage at entry",
    "226": "the leverage is invalid",
    "227": "the slippage is invalid",
    "228": "the floor price is invalid",
    "229": "the reference price is invalid",
    "230": "the reference price's type is invalid",
    "301": "the account is in a margin call",
    "302": "over the account's risk limit",
    "303": "over the position's risk limit",
    "304": "it would lead to liquidation at once",
    "305": "it would lead to a margin call",
    "306": "the available balance is too small",
    "307": "the order's status does not permit it",
    "308": "the price is invalid",
    "309": "the market is not open",
    "310": "the price is beyond the liquidation price",
    "311": "the position is being liquidated",
    "312": "the price is above the upper limit",
    "313": "the price is below the lower limit",
    "314": "over the greatest order quantity",
    "315": "the price is too far from the market",
    "316": "no such active order",
    "317": "no such position",
    "318": "too many open orders",
    "319": "over the greatest position",
    "320": "over the initial margin",
    "321": "over the greatest available balance",
    "325": "over the day's volume",
    "401": "no such account",
    "406": "the account is not active",
    "407": "no such margin unit",
    "408": "the margin unit is suspended",
    "409": "the user is invalid",
    "410": "the user is not active",
    "411": "the user may not trade derivatives",
    "412": "the account may not trade derivatives",
    "415": "under the smallest order",
    "501": "over the greatest effective leverage",
    "604": "the collateral's price is invalid",
    "605": "the margin calculation is invalid",
    "606": "over the permitted slippage",
    "613": "the isolation id is invalid",
    "614": "too many isolated positions",
    "615": "the account has no isolated positions",
    "616": "the isolated position could not be made",
    "617": "there is an isolated position in that instrument",
    "618": "too many isolated requests are pending",
    "619": "not possible with an isolated position",
    "620": "making the isolated position has timed out",
    "30024": "over the greatest withdrawal",
    "40001": "bad request",
    "40002": "no such method",
    "40003": "invalid request",
    "40004": "an argument is missing or invalid",
    "40005": "the date is invalid",
    "40006": "the request came twice",
    "40101": "not authorized: the key, the signature or its permissions are wrong",
    "40102": "the clock differs from the venue's by more than 60 seconds",
    "40103": "this address is not on the key's list",
    "40104": "the account's tier does not permit it",
    "40107": "too many subscriptions",
    "40401": "not found",
    "40801": "the request has timed out",
    "42901": "too many requests",
    "43003": "fill or kill: killed",
    "43004": "immediate or cancel: the rest was canceled",
    "43005": "post-only, and it would have taken",
    "43012": "canceled, as it would have traded with ourselves",
    "50001": "internal error",
    "9010001": "the venue is under maintenance",
}

TOO_MANY = frozenset({"42901"})
CAME_TWICE = frozenset({"204", "205", "40006"})
LEFT_OPEN = frozenset({"620", "40801", "50001", "9010001"})
KILLED = frozenset({"43003", "43004", "43012"})
NO_SUCH_ORDER = frozenset({"212", "316", "40401"})


def word_of(purpose: Purpose, code: str) -> Word | None:
    """What this code, in answer to a request of that kind, says of the child; None for a code that nobody knows."""
    if code not in TEXTS:
        return None
    if purpose is Purpose.ORDER:  # rule 6
        return Word.MISSING if code in NO_SUCH_ORDER else Word.IN_DOUBT
    if code in TOO_MANY:  # rule 2
        return Word.NOT_SENT
    if code in CAME_TWICE or code in LEFT_OPEN:  # rules 3 and 4
        return Word.IN_DOUBT
    if code in KILLED and purpose is Purpose.PLACE:  # rule 5
        return Word.ENDED
    return Word.REJECTED  # rule 7


def told(code: str, message: str = "") -> str:
    """A code for people, with the venue's own text where it sent one."""
    text = TEXTS.get(code, "a code that the documentation does not have")
    return f"{code}, {text}" + (f" ({message})" if message else "")
