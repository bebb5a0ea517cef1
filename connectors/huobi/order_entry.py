"""Trading at HTX: orders by REST, and what its private socket tells of them.

The venue's rules, in substance:

 1. Orders, balances and open orders are asked for by the number of the account: that of the spot account in use.
 2. Placing answers with the venue's order id and nothing else. What became of the order comes by the private socket, or
    is asked for.
 3. Our id is at most 64 letters, digits, `_` and `-`. It is NOT unique to the venue: what is asked or canceled by it is
    the newest order that bears it. So nothing may ever be sent twice under one id.
 4. It finds an order for eight hours, and for two after it has ended. Later, orders are listed by when they were made.
 5. A cancel is only taken on. By our id the answer is a state instead: 0 is not found, -1 closed long ago.
 6. A canceled order of which nothing was filled is forgotten after two hours.
 7. An immediate order's remainder ends as `canceled` or `partial-canceled`, and so does a post-only order that would
    take: it is not refused when it is placed.
 8. Refusals come with HTTP status 200. See `order_words`.
 9. Each kind of call may come 100 times (place, cancel) or 50 times (questions) in 2 seconds.
10. A private socket pings every 20 seconds, and takes 50 requests a second. See `order_stream`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from aggregator.domain.errors import FrameRefused
from aggregator.domain.lifecycle import Word
from aggregator.domain.numbers import RATE_DECIMALS, parse_decimal
from aggregator.domain.order import ASSET_DECIMALS, ChildTerms, TimeInForce
from aggregator.domain.order_events import (
    About,
    Balance,
    BalancesRead,
    ExecutionReport,
    FeesRead,
    FillReported,
    OpenOrdersRead,
)
from connectors.contract import Habits, Reply, Send
from connectors.decoding import decode
from connectors.huobi import order_wire as wire
from connectors.huobi import signing
from connectors.huobi.order_fills import MS, fill_of, signed
from connectors.huobi.order_stream import OUR_ID, HuobiPrivateStream
from connectors.huobi.order_words import CANCELING, STATE_NUMBERS, Kind, kind_of, reason_of, refusal_word, word_of
from connectors.trading import Allowance, Call, CallRefused, Cost, Credentials, Errand, Listings, Purpose, Told

SECOND = 1000 * MS
HOUR = 3600 * SECOND

TYPES = {TimeInForce.GTC: "limit", TimeInForce.IOC: "ioc", TimeInForce.FOK: "limit-fok"}
PLACE, CANCEL, QUESTION = "place", "cancel", "question"
FORGOTTEN_NS = 2 * HOUR
AROUND_NS = 300 * SECOND
"""How far the venue's time of an order may be from ours: as far as it lets our clock be."""

PAGE = 500
HISTORY = 100
"""How many rows a list of open orders, and one of past orders, have at most."""

LIVED = "submitted,partial-filled,filled,partial-canceled,canceled"

ABOUT = {Purpose.PLACE: About.PLACE, Purpose.CANCEL: About.CANCEL, Purpose.ORDER: About.ASK}


class HuobiOrderEntry:
    """See `connectors.trading.OrderEntry`."""

    budgets: Mapping[str, Allowance] = {  # rule 9; all questions share what each of them has
        PLACE: Allowance(100, 2 * SECOND),
        CANCEL: Allowance(100, 2 * SECOND),
        QUESTION: Allowance(50, 2 * SECOND),
    }
    habits: Habits | None = Habits(silence_ns=60 * SECOND, spacing_ns=20 * MS)  # rule 10

    def __init__(self, venue: str, listings: Listings, credentials: Credentials, host: str) -> None:
        self._venue = venue
        self._listings = listings
        self._credentials = credentials
        self._host = host
        self._stream = HuobiPrivateStream(venue, listings, credentials, host)
        self._open: dict[str, str] = {}
        self._readers: dict[Purpose, Callable[[Errand, wire.Envelope, int], Told]] = {
            Purpose.PLACE: self._placed,
            Purpose.CANCEL: self._canceled,
            Purpose.ORDER: self._found,
            Purpose.FILLS: self._fills,
            Purpose.BALANCES: self._balances,
            Purpose.OPEN_ORDERS: self._open_orders,
            Purpose.FEES: self._fees,
            Purpose.ACCOUNT: self._spot_account,
        }

    def errands_at_start(self) -> Sequence[Errand]:
        return (Errand(Purpose.ACCOUNT),)  # rule 1

    def costs(self, errand: Errand) -> Sequence[Cost]:
        if errand.purpose in (Purpose.PLACE, Purpose.CANCEL):
            return (Cost(errand.purpose),)
        return (Cost(QUESTION),)

    def call(self, errand: Errand, now_ns: int) -> Call:
        match errand.purpose:
            case Purpose.PLACE:
                return self._post("/v1/order/orders/place", self._order_of(_terms(errand)), now_ns)
            case Purpose.CANCEL if errand.venue_order_id:
                return self._post(f"/v1/order/orders/{errand.venue_order_id}/submitcancel", {}, now_ns)
            case Purpose.CANCEL:
                ours = {"client-order-id": _terms(errand).child_id}
                return self._post("/v1/order/orders/submitCancelClientOrder", ours, now_ns)
            case Purpose.FILLS if errand.venue_order_id:
                return self._get(f"/v1/order/orders/{errand.venue_order_id}/matchresults", {}, now_ns)
            case Purpose.ORDER | Purpose.FILLS:  # fills are found by the venue's id alone, so that is asked for first
                return self._ask_order(errand, now_ns)
            case Purpose.BALANCES:
                return self._get(f"/v1/account/accounts/{self._account_id()}/balance", {}, now_ns)
            case Purpose.OPEN_ORDERS:
                onwards = {"from": errand.cursor, "direct": "next"} if errand.cursor else {}
                asked = {"account-id": self._account_id(), "size": str(PAGE), **onwards}
                return self._get("/v1/order/openOrders", asked, now_ns)
            case Purpose.FEES:
                return self._get("/v2/reference/transact-fee-rate", {"symbols": errand.symbol}, now_ns)
            case Purpose.ACCOUNT:
                return self._get("/v1/account/accounts", {}, now_ns)

    def read(self, errand: Errand, reply: Reply, now_ns: int) -> Told:
        if reply.status == 429:
            return self._refused(errand, Kind.TURNED_AWAY, "429", "too many requests", now_ns)
        try:
            envelope = decode(wire.envelope, reply.body)
        except FrameRefused:
            if reply.status == 200:
                raise
            return self._refused(errand, Kind.UNCERTAIN, f"HTTP {reply.status}", "", now_ns)
        if envelope.is_well and reply.status == 200:
            return self._readers[errand.purpose](errand, envelope, now_ns)
        code, text = envelope.refusal
        if errand.purpose is Purpose.CANCEL and str(envelope.order_state) == str(CANCELING):  # rule 5
            return self._report(errand, Word.RECEIVED, now_ns, raw=code, reason=reason_of(Kind.REFUSED, code, text))
        if envelope.order_state is not None:
            text = f"{text}: {_numbered(str(envelope.order_state))}"
        return self._refused(errand, kind_of(code, text), code or f"HTTP {reply.status}", text, now_ns)

    def greet(self, now_ns: int) -> Sequence[Send]:
        return self._stream.greet(now_ns)

    def read_frame(self, frame: str | bytes, now_ns: int) -> Told:
        return self._stream.read_frame(frame, now_ns)

    # What is asked

    def _order_of(self, terms: ChildTerms) -> dict[str, str]:
        if terms.post_only and terms.time_in_force is not TimeInForce.GTC:
            raise CallRefused(f"{terms.child_id}: post-only and {terms.time_in_force}; only GTC can be post-only here")
        kind = "limit-maker" if terms.post_only else TYPES[terms.time_in_force]
        return {
            "account-id": self._account_id(),
            "symbol": terms.symbol,
            "type": f"{terms.side}-{kind}",
            "amount": terms.instrument.show_quantity(terms.quantity),
            "price": terms.instrument.show_price(terms.limit_price),
            "source": "spot-api",
            "client-order-id": terms.child_id,
        }

    def _ask_order(self, errand: Errand, now_ns: int) -> Call:
        if errand.venue_order_id:
            return self._get(f"/v1/order/orders/{errand.venue_order_id}", {}, now_ns)
        terms = _terms(errand)
        if now_ns - errand.sent_ns < FORGOTTEN_NS:
            return self._get("/v1/order/orders/getClientOrder", {"clientOrderId": terms.child_id}, now_ns)
        asked = {  # rule 4
            "symbol": terms.symbol,
            "states": LIVED,
            "start-time": str((errand.sent_ns - AROUND_NS) // MS),
            "end-time": str((errand.sent_ns + AROUND_NS) // MS),
            "size": str(HISTORY),
        }
        return self._get("/v1/order/orders", asked, now_ns)

    def _account_id(self) -> str:
        """Rule 1."""
        if not self._stream.account:
            raise CallRefused(f"{self._venue} has not told yet which account is the spot account")
        return self._stream.account

    def _get(self, path: str, parameters: Mapping[str, str], now_ns: int) -> Call:
        return Call("GET", signing.signed_path(self._credentials, "GET", self._host, path, parameters, now_ns))

    def _post(self, path: str, body: Mapping[str, str], now_ns: int) -> Call:
        signed = signing.signed_path(self._credentials, "POST", self._host, path, {}, now_ns)
        content = json.dumps(body, separators=(",", ":")).encode()
        return Call("POST", signed, content, {"Content-Type": "application/json"})

    # What is answered

    def _refused(self, errand: Errand, kind: Kind, code: str, text: str, now_ns: int) -> Told:
        reason = reason_of(kind, code, text)
        if errand.purpose not in ABOUT:
            raise FrameRefused(f"{errand.purpose} was refused: {reason}")
        return self._report(errand, refusal_word(errand.purpose, kind), now_ns, raw=code, reason=reason)

    def _report(
        self,
        errand: Errand,
        word: Word,
        now_ns: int,
        *,
        raw: str,
        reason: str = "",
        executed: int | None = None,
        venue_order_id: str = "",
        venue_time_ns: int = 0,
    ) -> Told:
        terms = _terms(errand)
        report = ExecutionReport(
            self._venue,
            terms.child_id,
            terms.instrument,
            now_ns,
            word,
            ABOUT[errand.purpose],
            raw,
            executed,
            venue_order_id or errand.venue_order_id,
            reason,
            venue_time_ns,
        )
        return Told([report])

    def _placed(self, errand: Errand, envelope: wire.Envelope, now_ns: int) -> Told:
        order_id = wire.identity(envelope.data, "place")
        return self._report(errand, Word.RECEIVED, now_ns, raw=envelope.status, venue_order_id=order_id)  # rule 2

    def _canceled(self, errand: Errand, envelope: wire.Envelope, now_ns: int) -> Told:
        answer = wire.identity(envelope.data, "cancel")
        if errand.venue_order_id:
            return self._report(errand, Word.RECEIVED, now_ns, raw=envelope.status)
        return self._report(errand, _cancel_word(answer), now_ns, raw=answer, reason=_numbered(answer))  # rule 5

    def _found(self, errand: Errand, envelope: wire.Envelope, now_ns: int) -> Told:
        answer = wire.read_raw(wire.orders, envelope.data, "order")
        order = self._ours(errand, answer)
        if order is None and isinstance(answer, list):
            is_whole = len(answer) < HISTORY
            word, reason = (Word.MISSING, "not among the orders") if is_whole else (Word.IN_DOUBT, "too many orders")
            return self._report(errand, word, now_ns, raw="ok", reason=f"{reason} of when it was sent")
        if order is None:
            raise FrameRefused(f"asked for {_terms(errand).child_id}, the answer is about another order")
        executed = _terms(errand).instrument.quantity(order.executed) if order.executed else None
        return self._report(
            errand,
            word_of(order.state),
            now_ns,
            raw=order.state,
            executed=executed,
            venue_order_id=wire.identity(order.id, "order"),
            venue_time_ns=(order.finished_ms or order.created_ms) * MS,
        )

    def _ours(self, errand: Errand, answer: wire.Order | list[wire.Order]) -> wire.Order | None:
        """The newest that bears our id (rule 3). An answer about one order need not tell our id (rule 4), or any."""
        terms = _terms(errand)
        if isinstance(answer, list):
            named = [order for order in answer if order.client_order_id == terms.child_id]
            return max(named, key=lambda order: order.created_ms, default=None)
        is_asked_for = errand.venue_order_id in ("", wire.plain(answer.id)) and answer.symbol == terms.symbol
        return answer if is_asked_for and answer.client_order_id in (None, "", terms.child_id) else None

    def _fills(self, errand: Errand, envelope: wire.Envelope, now_ns: int) -> Told:
        if errand.venue_order_id:
            rows = wire.read_raw(wire.matches, envelope.data, "fills")
            return Told([self._fill(errand, row, now_ns) for row in rows])
        order = self._ours(errand, wire.read_raw(wire.orders, envelope.data, "fills"))
        if order is None:
            raise FrameRefused(f"{_terms(errand).child_id} was not found, so its fills cannot be asked for")
        return Told(errands=[errand._replace(venue_order_id=wire.identity(order.id, "order"))])

    def _fill(self, errand: Errand, row: wire.Match, now_ns: int) -> FillReported:
        terms = _terms(errand)
        told = (wire.plain(row.order_id), row.symbol, row.type.partition("-")[0])
        if told != (errand.venue_order_id, terms.symbol, terms.side):
            raise FrameRefused(f"asked for fills of order {errand.venue_order_id}, {terms.side} {terms.symbol}: {told}")
        return fill_of(self._venue, terms.child_id, terms.instrument, terms.side, row, now_ns)

    def _balances(self, errand: Errand, envelope: wire.Envelope, now_ns: int) -> Told:
        free: dict[str, int] = {}
        held: dict[str, int] = {}
        for row in wire.read_raw(wire.balances, envelope.data, "balances").rows:
            part = {"trade": free, "frozen": held}.get(row.type)
            if part is not None:
                part[row.currency.upper()] = parse_decimal(wire.plain(row.balance), ASSET_DECIMALS)
        balances = {
            asset: Balance(free.get(asset, 0) + held.get(asset, 0), free.get(asset, 0)) for asset in {**free, **held}
        }
        return Told([BalancesRead(self._venue, now_ns, balances)])

    def _open_orders(self, errand: Errand, envelope: wire.Envelope, now_ns: int) -> Told:
        if not errand.cursor:
            self._open = {}
        rows = wire.read_raw(wire.open_orders, envelope.data, "open orders")
        for row in rows:
            self._open[wire.plain(row.id)] = row.client_order_id or ""
        if len(rows) >= PAGE and wire.plain(rows[-1].id) != errand.cursor:
            return Told(errands=[errand._replace(cursor=wire.plain(rows[-1].id))])
        ours = tuple(name for name in self._open.values() if OUR_ID.fullmatch(name))
        foreign = tuple(order_id for order_id, name in self._open.items() if not OUR_ID.fullmatch(name))
        return Told([OpenOrdersRead(self._venue, now_ns, ours, foreign)])

    def _fees(self, errand: Errand, envelope: wire.Envelope, now_ns: int) -> Told:
        rows = wire.read_raw(wire.fee_rates, envelope.data, "fees")
        row = next((row for row in rows if row.symbol == errand.symbol), None)
        if row is None:
            raise FrameRefused(f"asked for the fees of {errand.symbol}, told of {[row.symbol for row in rows]}")
        listing = self._listings.get(errand.symbol)
        if listing is None:
            raise FrameRefused(f"told of the fees of {errand.symbol!r}, which is not listed here")
        maker = signed(wire.plain(row.actual_maker) or wire.plain(row.maker), RATE_DECIMALS)
        taker = signed(wire.plain(row.actual_taker) or wire.plain(row.taker), RATE_DECIMALS)
        return Told([FeesRead(self._venue, now_ns, listing.instrument, maker, taker)])

    def _spot_account(self, errand: Errand, envelope: wire.Envelope, now_ns: int) -> Told:
        accounts = wire.read_raw(wire.accounts, envelope.data, "accounts")
        working = [account for account in accounts if account.type == "spot" and account.state == "working"]
        if not working:
            kinds = [f"{account.type} ({account.state})" for account in accounts]
            raise FrameRefused(f"no working spot account; there are {kinds}")
        self._stream.account = wire.identity(working[0].id, "account")
        return Told()


def _terms(errand: Errand) -> ChildTerms:
    if errand.terms is None:
        raise CallRefused(f"{errand.purpose} without the child that it is about")
    return errand.terms


def _cancel_word(state: str) -> Word:
    """Rule 5. What is still live, and not said to be canceling, may or may not be."""
    if state == str(CANCELING):
        return Word.RECEIVED
    return Word.IN_DOUBT if state in ("1", "3", "4") else Word.REJECTED


def _numbered(state: str) -> str:
    known = {str(number): name for number, name in STATE_NUMBERS.items()}
    return f"state {state}, {known.get(state, 'not found' if state == '0' else 'not documented')}"
