"""Orders at Binance: signed REST calls, and the account's events on the websocket API.

The venue's rules, in substance:

 1. Placing is synchronous: with FULL the answer has the status, what was executed, and every fill, all as taker.
 2. Post-only is a type of its own, LIMIT_MAKER, without a time in force.
 3. A client's id is unique among open orders only; ours are unique for ever.
 4. A cancel has a client's id of its own: its answer names the order's as the original one, and so does its event.
 5. An answer of 5xx, and some codes, leave open what was done.
 6. Fills are listed by the venue's order id only, 1000 at a time, from a trade's id on.
 7. A canceled, expired or rejected order may have executed a part.
 8. The fee is taken in the asset that the venue names: mostly the one received.
 9. Balances on the stream are absolute, and only those that changed; deposits are told by their difference.
10. The stream is a subscription on the websocket API, signed by itself, with nothing to keep alive but the socket.
11. The account's fee is the sum of standard, special and tax, each of the maker or taker and of the buyer or seller.
12. The limits on orders count those that fill nothing, for an account. Weight is counted for an address; an order that
    is placed or canceled with success weighs nothing, and one that fails does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from aggregator.domain.errors import FrameRefused
from aggregator.domain.instrument import Instrument
from aggregator.domain.order import ChildTerms, TimeInForce
from connectors.binance import order_wire as wire
from connectors.binance.order_reports import ABOUT, MS, REASON_AT_MOST, Reports, child_id_of, is_ours
from connectors.binance.order_words import Complaint
from connectors.binance.signing import signed_parameters, signed_text
from connectors.contract import Habits, Reply, Send
from connectors.resync import SECOND
from connectors.trading import Allowance, Call, CallRefused, Cost, Credentials, Errand, Listings, Purpose, Told

MINUTE = 60 * SECOND
DAY = 24 * 60 * MINUTE

RECEIVE_WINDOW_MS = 5000
"""A request that reaches the venue later than this is refused."""

FILLS_AT_MOST = 1000

WEIGHTS = {
    Purpose.PLACE: 1,
    Purpose.CANCEL: 1,
    Purpose.ORDER: 4,
    Purpose.FILLS: 5,
    Purpose.BALANCES: 20,
    Purpose.OPEN_ORDERS: 80,
    Purpose.FEES: 20,
}

ORDER_PATH = "/api/v3/order"

SUBSCRIBE, PING = "subscribe", "ping"
"""Our ids of requests on the private stream."""

ALREADY_SUBSCRIBED = -2035


class BinanceOrderEntry:
    """See `connectors.trading.OrderEntry`."""

    budgets: Mapping[str, Allowance] = {
        "weight": Allowance(3000, MINUTE),
        "orders_10s": Allowance(50, 10 * SECOND),
        "orders_1d": Allowance(160_000, DAY),
    }
    """Rule 12. The other half of an address's weight, 6000 a minute, is for market data."""

    habits: Habits | None = Habits(
        silence_ns=60 * SECOND,
        life_ns=84_000 * SECOND,
        keepalive_ns=20 * SECOND,
        keepalive=lambda now_ns: wire.ping(PING),
    )
    """The stream of an account that does not trade is silent: only the answers to pings of ours show that it is alive.
    The venue cuts it after 24 hours."""

    def __init__(self, venue: str, listings: Listings, credentials: Credentials, host: str) -> None:
        self._venue = venue
        self._listings = listings
        self._credentials = credentials

    def errands_at_start(self) -> Sequence[Errand]:
        return ()

    def costs(self, errand: Errand) -> Sequence[Cost]:
        """Rule 12; what may come back from it is left as a margin."""
        purpose = _asked_for(errand)
        weight = Cost("weight", WEIGHTS.get(purpose, 1))
        if purpose is Purpose.PLACE:
            return weight, Cost("orders_10s"), Cost("orders_1d")
        return (weight,)

    def call(self, errand: Errand, now_ns: int) -> Call:
        match _asked_for(errand):
            case Purpose.PLACE:
                return self._signed("POST", ORDER_PATH, _placing(_terms(errand)), now_ns)
            case Purpose.CANCEL:
                return self._signed("DELETE", ORDER_PATH, _named(_terms(errand)), now_ns)
            case Purpose.ORDER:
                return self._signed("GET", ORDER_PATH, _named(_terms(errand)), now_ns)
            case Purpose.FILLS:
                return self._signed("GET", "/api/v3/myTrades", _fills_of(errand), now_ns)
            case Purpose.BALANCES:
                return self._signed("GET", "/api/v3/account", {"omitZeroBalances": "true"}, now_ns)
            case Purpose.OPEN_ORDERS:
                return self._signed("GET", "/api/v3/openOrders", {}, now_ns)
            case Purpose.FEES if errand.symbol in self._listings:
                return self._signed("GET", "/api/v3/account/commission", {"symbol": errand.symbol}, now_ns)
            case Purpose.FEES:
                raise CallRefused(f"fees of {errand.symbol!r}, which is not among the listings of {self._venue}")
            case Purpose.ACCOUNT:
                raise CallRefused(f"{self._venue} wants nothing to be asked before anything else")

    def read(self, errand: Errand, reply: Reply, now_ns: int) -> Told:
        if reply.status != HTTPStatus.OK:
            return self._complained(errand, reply, now_ns)
        reports, purpose = Reports(self._venue, now_ns), _asked_for(errand)
        match purpose:
            case Purpose.PLACE:
                return Told(reports.placed(_terms(errand), wire.read_placed(reply.body)))
            case Purpose.CANCEL:
                return Told([reports.described(_terms(errand), ABOUT[purpose], wire.read_canceled(reply.body))])
            case Purpose.ORDER:
                report = reports.described(_terms(errand), ABOUT[purpose], wire.read_order(reply.body))
                follows = [errand._replace(venue_order_id=report.venue_order_id)]
                return Told([report], errands=follows if errand.purpose is Purpose.FILLS else ())
            case Purpose.FILLS:
                return _fills(errand, wire.read_fills(reply.body), reports)
            case Purpose.BALANCES:
                return Told([reports.balances(wire.read_balances(reply.body), is_whole=True)])
            case Purpose.OPEN_ORDERS:
                return Told([reports.open_orders(wire.read_orders(reply.body))])
            case Purpose.FEES:
                told = wire.read_commission(reply.body)
                return Told([reports.fees(self._instrument(told.symbol), told)])
            case Purpose.ACCOUNT:
                raise FrameRefused("an answer about the account, which is never asked for")

    def greet(self, now_ns: int) -> Sequence[Send]:
        """Rule 10."""
        parameters = {"apiKey": self._credentials.key, "timestamp": str(now_ns // MS)}
        signed = signed_parameters(self._credentials.secret, parameters)
        return [Send(wire.subscribe(SUBSCRIBE, signed["apiKey"], now_ns // MS, signed["signature"]))]

    def read_frame(self, frame: str | bytes, now_ns: int) -> Told:
        message = wire.read_frame(frame)
        reports = Reports(self._venue, now_ns)
        match message.event:
            case None:
                return _answered(message)
            case wire.OrderEvent() as event:
                if not is_ours(child_id_of(event)):
                    return Told()
                return Told(reports.order_event(self._instrument(event.symbol), event))
            case wire.BalancesChanged() as event:
                return Told([reports.balances(event.balances, is_whole=False)])
            case wire.BalanceMoved() | wire.LockMoved():  # rule 9: what it comes to is asked
                return Told(errands=[Errand(Purpose.BALANCES)])
            case wire.StreamEnded():
                return Told(sends=self.greet(now_ns), refusal="the venue has ended the subscription")
            case wire.ListStatus() | wire.ServerLeaves():
                return Told()

    def _signed(self, method: str, path: str, parameters: Mapping[str, str], now_ns: int) -> Call:
        dated = {**parameters, "recvWindow": str(RECEIVE_WINDOW_MS), "timestamp": str(now_ns // MS)}
        text = signed_text(self._credentials.secret, dated)
        headers = {"X-MBX-APIKEY": self._credentials.key}
        if method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            return Call(method, path, text.encode(), headers)
        return Call(method, f"{path}?{text}", headers=headers)

    def _complained(self, errand: Errand, reply: Reply, now_ns: int) -> Told:
        """Rule 5."""
        error = wire.read_error(reply.body)
        code, text = (error.code, error.text) if error else (None, reply.body.decode("utf-8", "replace"))
        complaint = Complaint(reply.status, code, text[:REASON_AT_MOST])
        purpose = _asked_for(errand)
        if purpose not in ABOUT:
            raise FrameRefused(f"asked for {purpose}, {self._venue} answered {reply.status}: {complaint.reason}")
        return Told([Reports(self._venue, now_ns).complained(purpose, _terms(errand), complaint)])

    def _instrument(self, symbol: str) -> Instrument:
        listing = self._listings.get(symbol)
        if listing is None:
            raise FrameRefused(f"it is about {symbol[:40]!r}, which is not among the listings of {self._venue}")
        return listing.instrument


def _asked_for(errand: Errand) -> Purpose:
    """Rule 6: where the venue's order id is not known yet, the order is asked for first."""
    if errand.purpose is Purpose.FILLS and not errand.venue_order_id:
        return Purpose.ORDER
    return errand.purpose


def _terms(errand: Errand) -> ChildTerms:
    if errand.terms is None:
        raise CallRefused(f"an errand to {errand.purpose} without its child")
    return errand.terms


def _placing(terms: ChildTerms) -> dict[str, str]:
    if terms.post_only and terms.time_in_force is not TimeInForce.GTC:
        raise CallRefused(f"{terms.child_id} is post-only and {terms.time_in_force}: it could never fill")
    kind = {"type": "LIMIT_MAKER"} if terms.post_only else {"type": "LIMIT", "timeInForce": terms.time_in_force.value}
    return {
        "symbol": terms.symbol,
        "side": terms.side.value.upper(),
        **kind,  # rule 2
        "quantity": terms.instrument.show_quantity(terms.quantity),
        "price": terms.instrument.show_price(terms.limit_price),
        "newClientOrderId": terms.child_id,
        "newOrderRespType": "FULL",
    }


def _named(terms: ChildTerms) -> dict[str, str]:
    """Rule 3: by our id."""
    return {"symbol": terms.symbol, "origClientOrderId": terms.child_id}


def _fills_of(errand: Errand) -> dict[str, str]:
    """Rule 6."""
    asked = {"symbol": _terms(errand).symbol, "orderId": errand.venue_order_id, "limit": str(FILLS_AT_MOST)}
    return {**asked, "fromId": errand.cursor} if errand.cursor else asked


def _fills(errand: Errand, rows: Sequence[wire.PastFill], reports: Reports) -> Told:
    events = reports.fills(_terms(errand), errand.venue_order_id, rows)
    if len(rows) < FILLS_AT_MOST:
        return Told(events)
    following = str(max(row.trade_id for row in rows) + 1)
    return Told(events, errands=[errand._replace(cursor=following)])


def _answered(message: wire.Frame) -> Told:
    """What became of a request of ours. A ping that was refused shows that the stream is alive, as any other does."""
    error = message.error
    if message.id == PING:
        return Told()
    if message.id != SUBSCRIBE:
        told = f"{error.code} {error.text}" if error else "no event, and no answer to a request of ours"
        raise FrameRefused(told)
    if message.status == HTTPStatus.OK or (error is not None and error.code == ALREADY_SUBSCRIBED):
        return Told(is_ready=True)
    told = Complaint(message.status or 0, error.code if error else None, error.text if error else "").reason
    return Told(refusal=f"the private stream was refused: {told}")
