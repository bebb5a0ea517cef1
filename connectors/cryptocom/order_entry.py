"""Orders at Crypto.com: REST for what we ask, the private stream for what the venue tells.

The venue's rules, in substance:

 1. Placing and canceling are only received at first. What becomes of them is told by the private stream, or to whoever
    asks; a refusal may come that way too.
 2. The HTTP status decides nothing once there is a code: see `refusals`. Without one, 429 was turned away, and after
    any 5xx or 408 nobody knows.
 3. A client order id is unique for ever, and an order is asked for by it.
 4. Post-only is an instruction beside good-till-cancel; with another time in force it is refused.
 5. Fills are not listed by order: they are asked for by market and time, the newest 100 before an end that is excluded,
    over a day by default and 7 at most. Times are ns.
 6. Fee rates are in basis points.
 7. On the private stream log in once, then subscribe. A subscription's answer has its id, and that of `user.order`
    lists the open orders.
 8. The venue's heartbeat is answered at once, with its own id, or the connection is closed.

How orders, fills and balances are told is in `order_rows`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from itertools import count
from typing import NamedTuple, NoReturn

from aggregator.domain.errors import FrameRefused
from aggregator.domain.instrument import Side
from aggregator.domain.lifecycle import Word
from aggregator.domain.numbers import RATE_DECIMALS
from aggregator.domain.order import ChildTerms, TimeInForce
from aggregator.domain.order_events import About, ExecutionReport, FeesRead, OpenOrdersRead, VenueOrderEvent
from connectors.contract import Habits, Reply, Send
from connectors.cryptocom import order_wire as wire
from connectors.cryptocom import refusals
from connectors.cryptocom.order_rows import AccountRows, is_ours
from connectors.cryptocom.wire import Frame, Push, answer_heartbeat, read_frame
from connectors.pacing import SECOND
from connectors.trading import Allowance, Call, CallRefused, Cost, Credentials, Errand, Listings, Purpose, Told

MS = 1_000_000
CLOCK_TOLERANCE_NS = 60 * SECOND
FILLS_AT_ONCE = 100
FILLS_WINDOW_NS = 24 * 3600 * SECOND
"""The default, though 7 days are documented: some clients have met a day as the most."""

BPS_DECIMALS = RATE_DECIMALS - 4

CHANNELS = ("user.order", "user.trade", "user.balance")

TIMES_IN_FORCE = {
    TimeInForce.GTC: "GOOD_TILL_CANCEL",
    TimeInForce.IOC: "IMMEDIATE_OR_CANCEL",
    TimeInForce.FOK: "FILL_OR_KILL",
}


class Route(NamedTuple):
    method: str
    budget: str


ROUTES = {
    Purpose.PLACE: Route("private/create-order", "create-order"),
    Purpose.CANCEL: Route("private/cancel-order", "cancel-order"),
    Purpose.ORDER: Route("private/get-order-detail", "get-order-detail"),
    Purpose.FILLS: Route("private/get-trades", "get-trades"),
    Purpose.BALANCES: Route("private/user-balance", "other"),
    Purpose.OPEN_ORDERS: Route("private/get-open-orders", "other"),
    Purpose.FEES: Route("private/get-instrument-fee-rate", "other"),
}

ABOUT = {Purpose.PLACE: About.PLACE, Purpose.CANCEL: About.CANCEL, Purpose.ORDER: About.ASK}

BUDGETS = {
    "create-order": Allowance(15, 100 * MS),
    "cancel-order": Allowance(15, 100 * MS),
    "get-order-detail": Allowance(30, 100 * MS),
    "get-trades": Allowance(1, SECOND),
    "other": Allowance(3, 100 * MS),
}
"""`other` is granted to every other method; that each has its own is not said, so they share it."""


class CryptocomOrderEntry:
    """See `connectors.trading.OrderEntry`. The host is in no signature."""

    habits: Habits | None = Habits(silence_ns=45 * SECOND, settle_ns=SECOND, spacing_ns=10 * MS)
    """Heartbeats come every 30 seconds. 150 requests a second are granted, fewer in the calendar second in which the
    connection was made."""

    budgets: Mapping[str, Allowance] = BUDGETS

    def __init__(self, venue: str, listings: Listings, credentials: Credentials, host: str) -> None:
        self._venue = venue
        self._rows = AccountRows(venue, listings)
        self._credentials = credentials
        self._ids = count(1)
        self._login_id = ""
        self._awaited: set[str] = set()

    def errands_at_start(self) -> Sequence[Errand]:
        return ()

    def costs(self, errand: Errand) -> Sequence[Cost]:
        return [Cost(_route(errand).budget)]

    def call(self, errand: Errand, now_ns: int) -> Call:
        method = _route(errand).method
        params = self._params(errand, now_ns)
        body = wire.signed_request(self._credentials, method, params, next(self._ids), now_ns // MS)
        return Call("POST", f"/exchange/v1/{method}", body, {"Content-Type": "application/json"})

    def read(self, errand: Errand, reply: Reply, now_ns: int) -> Told:
        answer = _answer(reply)
        if answer is None:
            return self._wordless(errand, reply, now_ns)
        if str(answer.code) != "0":
            return self._refused(errand, answer, now_ns)
        if reply.status != HTTPStatus.OK:
            _unexplained(errand, reply, "it says code 0 with that status")
        match errand.purpose:
            case Purpose.PLACE | Purpose.CANCEL:
                return self._received(errand, answer, now_ns)
            case Purpose.ORDER:
                return self._order(_child_of(errand), answer, now_ns)
            case Purpose.FILLS:
                return self._fills(errand, answer, now_ns)
            case Purpose.BALANCES:
                return Told([self._rows.balances(wire.read_wallets(answer.result), now_ns, is_whole=True)])
            case Purpose.OPEN_ORDERS:
                return Told([self._open_orders(answer, now_ns)])
            case Purpose.FEES:
                return Told([self._fees(errand, answer, now_ns)])
        return _unexplained(errand, reply, "nothing like that is asked")

    def greet(self, now_ns: int) -> Sequence[Send]:
        self._awaited.clear()
        request_id = next(self._ids)
        self._login_id = str(request_id)
        return [Send(wire.login(self._credentials, request_id, now_ns // MS))]

    def read_frame(self, frame: str | bytes, now_ns: int) -> Told:
        message = read_frame(frame)
        if message.method == "public/heartbeat" and message.id is not None:  # rule 8
            return Told(sends=[Send(answer_heartbeat(message.id), urgent=True)])
        answered = str(message.id)
        if answered == self._login_id:
            return self._logged_in(now_ns) if message.complaint is None else _denied("the login", message)
        if message.complaint is not None:
            if answered not in self._awaited:
                raise FrameRefused(f"a complaint about nothing that was asked: {message.complaint}")
            return _denied(message.channel or "a subscription", message)
        events = self._pushed(message.result, now_ns) if message.result is not None else ()
        return Told(events, is_ready=self._acknowledged(answered))

    def _params(self, errand: Errand, now_ns: int) -> dict[str, object]:
        terms = errand.terms
        match errand.purpose:
            case Purpose.PLACE if terms is not None:
                return _order_params(terms)
            case Purpose.CANCEL if terms is not None:
                if errand.venue_order_id:
                    return {"order_id": errand.venue_order_id}
                return {"client_oid": terms.child_id}
            case Purpose.ORDER if terms is not None:  # rule 3
                return {"client_oid": terms.child_id}
            case Purpose.FILLS if terms is not None:  # rule 5
                start_ns, end_ns = _fills_window(errand, now_ns)
                params: dict[str, object] = {"instrument_name": terms.symbol, "start_time": str(start_ns)}
                end = {"end_time": str(end_ns)} if errand.cursor else {}
                return {**params, **end, "limit": str(FILLS_AT_ONCE)}
            case Purpose.FEES if errand.symbol:
                return {"instrument_name": errand.symbol}
            case Purpose.BALANCES | Purpose.OPEN_ORDERS:
                return {}
        raise CallRefused(f"{errand.purpose} needs to say about what")

    def _wordless(self, errand: Errand, reply: Reply, now_ns: int) -> Told:
        """An answer that is not the venue's own."""
        about = ABOUT.get(errand.purpose)
        text = f"{reply.status} without a code: {reply.body[:200]!r}"
        if about is not None and reply.status == HTTPStatus.TOO_MANY_REQUESTS:  # rule 2
            word = Word.IN_DOUBT if about is About.ASK else Word.NOT_SENT
        elif about is not None and (reply.status >= 500 or reply.status == HTTPStatus.REQUEST_TIMEOUT):  # rule 2
            word = Word.IN_DOUBT
        else:
            return _unexplained(errand, reply, "no answer of this venue")
        return Told([self._report(errand, word, now_ns, raw=str(reply.status), reason=text)])

    def _refused(self, errand: Errand, answer: wire.Answer, now_ns: int) -> Told:
        code = str(answer.code)
        reason = refusals.told(code, answer.message or "")
        word = refusals.word_of(errand.purpose, code)
        if errand.purpose not in ABOUT or word is None:
            raise FrameRefused(f"{_route(errand).method} was refused: {reason}")
        order_id = str(wire.read_order_ids(answer.result).order_id)
        return Told([self._report(errand, word, now_ns, raw=code, venue_order_id=order_id, reason=reason)])

    def _received(self, errand: Errand, answer: wire.Answer, now_ns: int) -> Told:
        """Rule 1: no more is known yet."""
        ids = wire.read_order_ids(answer.result)
        terms = _child_of(errand)
        if ids.client_id is not None and str(ids.client_id) != terms.child_id:
            raise FrameRefused(f"asked about {terms.child_id}, the venue answers about {ids.client_id}")
        report = self._report(errand, Word.RECEIVED, now_ns, raw="0", venue_order_id=str(ids.order_id))
        return Told([report])

    def _order(self, terms: ChildTerms, answer: wire.Answer, now_ns: int) -> Told:
        row = wire.read_order(answer.result)
        if (row.client_id, row.symbol) != (terms.child_id, terms.symbol):
            raise FrameRefused(f"asked about {terms.child_id}, the venue answers about {row.client_id} ({row.symbol})")
        return Told([self._rows.report(row, About.ASK, now_ns)])

    def _fills(self, errand: Errand, answer: wire.Answer, now_ns: int) -> Told:
        rows = wire.read_fills(answer.result)
        terms = _child_of(errand)
        asked = {errand.venue_order_id: terms.child_id} if errand.venue_order_id else {}
        fills = self._rows.fills(rows, now_ns, asked)
        start_ns, end_ns = _fills_window(errand, now_ns)
        if len(rows) >= FILLS_AT_ONCE:  # rule 5: of the oldest moment there may be more
            next_end_ns = min(row.time_ns for row in rows) + 1
            if errand.cursor and next_end_ns >= end_ns:
                raise FrameRefused(f"{len(rows)} fills and none before {end_ns}: the list does not go on", terms.symbol)
        else:
            next_end_ns = start_ns
        if next_end_ns <= _oldest_ns(errand, now_ns):
            return Told(fills)
        return Told(fills, errands=[errand._replace(cursor=str(next_end_ns))])

    def _open_orders(self, answer: wire.Answer, now_ns: int) -> OpenOrdersRead:
        rows = wire.read_open_orders(answer.result)
        ours = [str(row.client_id) for row in rows if is_ours(row.client_id)]
        foreign = [str(row.order_id) for row in rows if not is_ours(row.client_id)]
        return OpenOrdersRead(self._venue, now_ns, tuple(ours), tuple(foreign))

    def _fees(self, errand: Errand, answer: wire.Answer, now_ns: int) -> FeesRead:
        rates = wire.read_fee_rates(answer.result)
        maker, taker = (wire.signed_number(rate, BPS_DECIMALS) for rate in (rates.maker, rates.taker))  # rule 6
        return FeesRead(self._venue, now_ns, self._rows.listing(errand.symbol).instrument, maker, taker)

    def _logged_in(self, now_ns: int) -> Told:
        """Rule 7, with one request for each channel, so that each is answered by itself."""
        self._login_id = ""
        ids = [next(self._ids) for _ in CHANNELS]
        self._awaited = {str(request_id) for request_id in ids}
        requests = zip(CHANNELS, ids, strict=True)
        return Told(sends=[Send(wire.subscribe([channel], request, now_ns // MS)) for channel, request in requests])

    def _acknowledged(self, answered: str) -> bool:
        """Whether this was the last answer that was awaited."""
        if answered not in self._awaited:
            return False
        self._awaited.discard(answered)
        return not self._awaited

    def _pushed(self, push: Push, now_ns: int) -> Sequence[VenueOrderEvent]:
        match push.channel.split(".")[:2]:
            case ["user", "order"]:
                rows = wire.read_pushed_orders(push.data)
                return [self._rows.report(row, About.STREAM, now_ns) for row in rows if is_ours(row.client_id)]
            case ["user", "trade"]:
                return self._rows.fills(wire.read_pushed_fills(push.data), now_ns)
            case ["user", "balance"]:
                return [self._rows.balances(wire.read_pushed_wallets(push.data), now_ns, is_whole=False)]
        return ()

    def _report(
        self, errand: Errand, word: Word, now_ns: int, *, raw: str, venue_order_id: str = "", reason: str = ""
    ) -> ExecutionReport:
        terms = _child_of(errand)
        return ExecutionReport(
            self._venue,
            terms.child_id,
            terms.instrument,
            now_ns,
            word,
            ABOUT[errand.purpose],
            raw=raw,
            venue_order_id=venue_order_id,
            reason=reason,
        )


def _answer(reply: Reply) -> wire.Answer | None:
    """None for one without a code, which then is not the venue's."""
    try:
        answer = wire.read_answer(reply.body)
    except FrameRefused:
        return None
    return None if answer.code is None else answer


def _order_params(terms: ChildTerms) -> dict[str, object]:
    """Without margin: an order that the balance does not cover is refused, not borrowed for."""
    if terms.post_only and terms.time_in_force is not TimeInForce.GTC:  # rule 4
        raise CallRefused(f"{terms.child_id} is post-only and {terms.time_in_force}; this venue wants GTC with it")
    params: dict[str, object] = {
        "instrument_name": terms.symbol,
        "side": "BUY" if terms.side is Side.BUY else "SELL",
        "type": "LIMIT",
        "price": terms.instrument.show_price(terms.limit_price),
        "quantity": terms.instrument.show_quantity(terms.quantity),
        "client_oid": terms.child_id,
        "time_in_force": TIMES_IN_FORCE[terms.time_in_force],
        "spot_margin": "SPOT",
    }
    return params | {"exec_inst": ["POST_ONLY"]} if terms.post_only else params


def _fills_window(errand: Errand, now_ns: int) -> tuple[int, int]:
    """From when to when fills are asked for: the day before the cursor, or before now."""
    end_ns = int(errand.cursor) if errand.cursor else now_ns
    return max(_oldest_ns(errand, now_ns), end_ns - FILLS_WINDOW_NS), end_ns


def _oldest_ns(errand: Errand, now_ns: int) -> int:
    """No fill is older, whatever the venue's clock says. Without the time of sending, what the default covers."""
    return (errand.sent_ns - CLOCK_TOLERANCE_NS) if errand.sent_ns else now_ns - FILLS_WINDOW_NS


def _child_of(errand: Errand) -> ChildTerms:
    if errand.terms is None:
        raise CallRefused(f"{errand.purpose} is about one child, and names none")
    return errand.terms


def _route(errand: Errand) -> Route:
    route = ROUTES.get(errand.purpose)
    if route is None:
        raise CallRefused(f"this venue is not asked for {errand.purpose}")
    return route


def _denied(what: str, message: Frame) -> Told:
    return Told(refusal=f"{what} was refused: {refusals.told(str(message.code), message.message or '')}")


def _unexplained(errand: Errand, reply: Reply, why: str) -> NoReturn:
    raise FrameRefused(f"{_route(errand).method} answered {reply.status}, {why}: {reply.body[:200]!r}")
