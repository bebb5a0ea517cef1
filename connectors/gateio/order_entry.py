"""Orders at Gate: signed REST calls, and the account's channels on the websocket. The venue's rules in substance:

 1. An order is a limit order, `gtc`, `ioc`, `fok` or `poc` (post-only: pending or cancelled). With `x-gate-exptime` it
    is refused when it arrives later than that.
 2. The client's id, `text`, begins with `t-`, which is not part of ours. It finds an order while that is open, and by
    one of the venue's texts for an hour more; the venue's own id finds it always. So what the text does not find is
    looked for among the orders that have ended before it is missing.
 3. What is filled is the quantity without what is left, whatever the word for the end. The venue's own examples
    contradict themselves in `filled_amount`.
 4. In action mode FULL an order is matched before its placing is answered; ACK only says that it was received.
 5. No answer to a placing has fills. They come on the stream and in a list, by the trade's id, which is the same in
    both.
 6. The fee is in `fee_currency`, mostly the asset received, or else in GT or in points. Less than nothing is a rebate.
 7. A refusal has a label, which decides; see `order_words`.
 8. A list of fills or of ended orders goes back seven days, or covers seven from its beginning, and comes in pages; the
    one of open orders has as many of each market on a page.
 9. Each subscription to a private channel signs itself, and `!all` are all markets. The pushes of `spot.orders` state
    no status: `event` is put, update or finish.
10. Placing is limited for each market, canceling for the account, and everything else for each address of the API.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import count
from typing import NamedTuple

from aggregator.domain.errors import FrameRefused
from aggregator.domain.instrument import Instrument, Side
from aggregator.domain.lifecycle import Word
from aggregator.domain.numbers import RATE_DECIMALS
from aggregator.domain.order import ChildTerms, Fill, Liquidity
from aggregator.domain.order_events import (
    About,
    BalancesRead,
    ExecutionReport,
    FeesRead,
    FillReported,
    OpenOrdersRead,
    VenueOrderEvent,
)
from connectors.contract import Habits, Reply, Send
from connectors.gateio import order_wire, wire
from connectors.gateio.order_numbers import balance_of, executed_of, fee_of, signed_decimal, time_ns
from connectors.gateio.order_words import WOULD_TAKE, of_order, of_refusal
from connectors.gateio.signing import call_signature, subscription_signature
from connectors.pacing import SECOND
from connectors.trading import Allowance, Call, CallRefused, Cost, Credentials, Errand, Listings, Purpose, Told

MS = 1_000_000

ROOT = "/api/v4"
ARRIVES_WITHIN_NS = 5 * SECOND
"""A placing that takes longer is refused (rule 1)."""

PLACING_ALLOWED = Allowance(10, SECOND)

PREFIX = "t-"
OURS = re.compile(r"t-([0-9a-z]{16}-[0-9a-z]{3})", re.ASCII)

ORDERS_AT_ONCE, FILLS_AT_ONCE = 100, 1000
PAGES_AT_MOST = 10
"""An order that is not among the thousand that ended last is in doubt."""
CLOCKS_APART_S = 60

CHANNELS = {"spot.orders": ["!all"], "spot.usertrades": ["!all"], "spot.balances": []}

ABOUT = {Purpose.PLACE: About.PLACE, Purpose.CANCEL: About.CANCEL, Purpose.ORDER: About.ASK}

ADDRESSES = {
    Purpose.FILLS: "my_trades",
    Purpose.BALANCES: "accounts",
    Purpose.OPEN_ORDERS: "open_orders",
    Purpose.FEES: "fee",
}


class GateioOrderEntry:
    """See `connectors.trading.OrderEntry`. Nothing has to be asked at the start."""

    habits: Habits | None = Habits(
        silence_ns=45 * SECOND,
        spacing_ns=5 * MS,
        keepalive_ns=15 * SECOND,
        keepalive=lambda now_ns: wire.ping(now_ns // SECOND),
    )
    """As for market data: an account without orders hears nothing but the answers to its pings."""

    def __init__(self, venue: str, listings: Listings, credentials: Credentials, host: str) -> None:
        self._venue = venue
        self._listings = listings
        self._credentials = credentials
        self._ids = count(1)
        self._awaited: set[str] = set()
        self._open: list[order_wire.OrderRow] = []
        """Of the pages read so far."""
        addresses = ("order", "orders", *ADDRESSES.values())
        self._budgets = dict.fromkeys(addresses, Allowance(200, 10 * SECOND)) | {"cancel": Allowance(200, SECOND)}
        self._budgets |= {f"place {symbol}": PLACING_ALLOWED for symbol in listings}
        self.budgets: Mapping[str, Allowance] = self._budgets

    def errands_at_start(self) -> Sequence[Errand]:
        return ()

    def costs(self, errand: Errand) -> Sequence[Cost]:
        """Rule 10. A market that was listed later has its budget from its first order on."""
        match errand.purpose:
            case Purpose.PLACE:
                budget = f"place {_terms(errand).symbol}"
                self._budgets.setdefault(budget, PLACING_ALLOWED)
                return [Cost(budget)]
            case Purpose.CANCEL:
                return [Cost("cancel")]
            case Purpose.ORDER:
                return [Cost("orders" if errand.cursor else "order")]
        address = ADDRESSES.get(errand.purpose)
        return [Cost(address)] if address else []

    def call(self, errand: Errand, now_ns: int) -> Call:
        match errand.purpose:
            case Purpose.PLACE:
                until_ms = (now_ns + ARRIVES_WITHIN_NS) // MS
                more = {"x-gate-exptime": str(until_ms), "Content-Type": "application/json"}
                return self._signed("POST", "/spot/orders", "", now_ns, _placing(_terms(errand)), more)
            case Purpose.CANCEL:
                return self._signed("DELETE", *_one_order(errand), now_ns)
            case Purpose.ORDER:
                return self._signed("GET", *(_ended_orders(errand) if errand.cursor else _one_order(errand)), now_ns)
            case Purpose.FILLS:
                return self._signed("GET", "/spot/my_trades", _fills_asked(errand), now_ns)
            case Purpose.BALANCES:
                return self._signed("GET", "/spot/accounts", "", now_ns)
            case Purpose.OPEN_ORDERS:
                query = f"page={_page(errand)}&limit={ORDERS_AT_ONCE}"
                return self._signed("GET", "/spot/open_orders", query, now_ns)
            case Purpose.FEES:
                return self._signed("GET", "/wallet/fee", f"currency_pair={errand.symbol}", now_ns)
        raise CallRefused(f"{self._venue} is not asked for {errand.purpose}")

    def read(self, errand: Errand, reply: Reply, now_ns: int) -> Told:
        if not 200 <= reply.status < 300:
            return self._refused(errand, reply, now_ns)
        match errand.purpose:
            case Purpose.PLACE | Purpose.CANCEL:
                return Told([self._answered(errand, order_wire.read_order(reply.body), now_ns)])
            case Purpose.ORDER if errand.cursor:
                return self._among_ended(errand, order_wire.read_orders(reply.body), now_ns)
            case Purpose.ORDER:
                return Told([self._answered(errand, order_wire.read_order(reply.body), now_ns)])
            case Purpose.FILLS:
                return self._fills(errand, order_wire.read_fills(reply.body), now_ns)
            case Purpose.BALANCES:
                return Told([self._balances(order_wire.read_holdings(reply.body), now_ns, is_whole=True)])
            case Purpose.OPEN_ORDERS:
                return self._open_orders(errand, order_wire.read_open_orders(reply.body), now_ns)
            case Purpose.FEES:
                return Told([self._fees(errand, order_wire.read_fee(reply.body), now_ns)])
        raise FrameRefused(f"{self._venue} was not asked for {errand.purpose}")

    def greet(self, now_ns: int) -> Sequence[Send]:
        self._awaited = set(CHANNELS)
        return [self._subscription(channel, payload, now_ns // SECOND) for channel, payload in CHANNELS.items()]

    def read_frame(self, frame: str | bytes, now_ns: int) -> Told:
        """The notice of an upgrade tells nothing: the venue hangs up when it is time."""
        message = wire.read_frame(frame)
        channel = message.channel
        if message.error is not None:
            refusal = f"{channel}: {message.error.code}: {message.error.message or 'no reason given'}"
            if channel in CHANNELS:
                return Told(refusal=refusal)
            raise FrameRefused(refusal)
        if channel == "spot.pong" or message.type == "upgrade":
            return Told()
        if channel not in CHANNELS:
            raise FrameRefused(f"{channel[:40]!r} is none of the account's channels")
        if message.event == "subscribe":
            return self._subscribed(channel)
        if message.event != "update":
            raise FrameRefused(f"{channel}: the event is {message.event[:40]!r}; pushes are updates")
        if channel == "spot.balances":
            return Told([self._balances(order_wire.read_holdings(message.result), now_ns, is_whole=False)])
        if channel == "spot.usertrades":
            fills = order_wire.read_fills(message.result)
            return Told([self._fill(row, child_id, now_ns) for row in fills if (child_id := _ours(row.text))])
        orders = order_wire.read_orders(message.result)
        return Told([self._pushed(row, child_id, now_ns) for row in orders if (child_id := _ours(row.text))])

    def _signed(
        self, method: str, path: str, query: str, now_ns: int, body: bytes = b"", more: Mapping[str, str] | None = None
    ) -> Call:
        key, secret = self._credentials.key, self._credentials.secret
        timestamp = str(now_ns // SECOND)
        signature = call_signature(secret, method, ROOT + path, query, body, timestamp)
        headers = {"KEY": key, "Timestamp": timestamp, "SIGN": signature, **(more or {})}
        return Call(method, f"{ROOT}{path}?{query}" if query else ROOT + path, body, headers)

    def _subscription(self, channel: str, payload: list[str], time_s: int) -> Send:
        """Rule 9."""
        key, secret = self._credentials.key, self._credentials.secret
        signature = subscription_signature(secret, channel, "subscribe", time_s)
        return Send(
            order_wire.subscribe(
                channel, payload, request_id=next(self._ids), time_s=time_s, key=key, signature=signature
            )
        )

    def _subscribed(self, channel: str) -> Told:
        was_awaited = channel in self._awaited
        self._awaited.discard(channel)
        return Told(is_ready=was_awaited and not self._awaited)

    def _refused(self, errand: Errand, reply: Reply, now_ns: int) -> Told:
        """Rule 7. Questions that are not about one order have no report to be told by."""
        error = order_wire.read_error(reply.body)
        if errand.purpose not in ABOUT:
            told = f"{error.label} {error.message or error.detail or ''}".strip() or repr(reply.body[:200])
            raise FrameRefused(f"{errand.purpose} answered {reply.status}: {told}", errand.symbol or None)
        said = of_refusal(errand.purpose, reply.status, error)
        if said.word is Word.MISSING and not errand.venue_order_id and not errand.cursor:  # rule 2
            return Told(errands=[errand._replace(cursor="1")])
        executed = 0 if said.word is Word.ENDED else None
        return Told([self._report(errand, said.word, said.raw, said.reason, now_ns, executed)])

    def _report(
        self, errand: Errand, word: Word, raw: str, reason: str, now_ns: int, executed: int | None = None
    ) -> ExecutionReport:
        terms = _terms(errand)
        return ExecutionReport(
            self._venue,
            terms.child_id,
            terms.instrument,
            now_ns,
            word,
            ABOUT[errand.purpose],
            raw,
            executed,
            errand.venue_order_id,
            reason,
        )

    def _answered(self, errand: Errand, row: order_wire.OrderRow, now_ns: int) -> ExecutionReport:
        terms, about = _terms(errand), ABOUT[errand.purpose]
        if row.text and row.text != PREFIX + terms.child_id:
            raise FrameRefused(f"asked about {terms.child_id}, the venue tells of order {row.id}, {row.text[:40]!r}")
        report = self._of_order(row, terms.child_id, terms.instrument, about, now_ns)
        if about is About.CANCEL and report.word is Word.WORKING:
            return self._report(errand, Word.RECEIVED, report.raw, "it will be canceled", now_ns, report.executed)
        return report

    def _among_ended(self, errand: Errand, rows: list[order_wire.OrderRow], now_ns: int) -> Told:
        """Rules 2 and 8."""
        text, page = PREFIX + _terms(errand).child_id, int(_page(errand))
        for row in rows:
            if row.text == text:
                return Told([self._answered(errand, row, now_ns)])
        if len(rows) < ORDERS_AT_ONCE:
            reason = "neither open nor among those that have ended"
            return Told([self._report(errand, Word.MISSING, "ORDER_NOT_FOUND", reason, now_ns)])
        if page >= PAGES_AT_MOST:
            reason = f"not open, nor among the {page * ORDERS_AT_ONCE} orders that ended last"
            return Told([self._report(errand, Word.IN_DOUBT, "ORDER_NOT_FOUND", reason, now_ns)])
        return Told(errands=[errand._replace(cursor=str(page + 1))])

    def _pushed(self, row: order_wire.OrderRow, child_id: str, now_ns: int) -> ExecutionReport:
        return self._of_order(row, child_id, self._instrument(row.symbol), About.STREAM, now_ns)

    def _of_order(
        self, row: order_wire.OrderRow, child_id: str, instrument: Instrument, about: About, now_ns: int
    ) -> ExecutionReport:
        word, raw, reason = of_order(row)
        executed = executed_of(row, instrument)
        if word is Word.ENDED and row.finish_as == WOULD_TAKE and executed == 0 and about is not About.CANCEL:
            word = Word.REJECTED
        return ExecutionReport(
            self._venue,
            child_id,
            instrument,
            now_ns,
            word,
            about,
            raw,
            executed,
            str(row.id),
            reason,
            time_ns(row.time_ms),
        )

    def _fills(self, errand: Errand, rows: list[order_wire.FillRow], now_ns: int) -> Told:
        """By the venue's id the list has this order's alone, else those of the whole market."""
        terms, known = _terms(errand), errand.venue_order_id
        text = PREFIX + terms.child_id
        ours = [row for row in rows if (str(row.order_id) == known if known else row.text == text)]
        events = [self._fill(row, terms.child_id, now_ns, terms.instrument) for row in ours]
        if len(rows) < FILLS_AT_ONCE:
            return Told(events)
        return Told(events, errands=[errand._replace(cursor=str(int(_page(errand)) + 1))])

    def _fill(
        self, row: order_wire.FillRow, child_id: str, now_ns: int, instrument: Instrument | None = None
    ) -> FillReported:
        instrument = instrument or self._instrument(row.symbol)
        side = Side.BUY if row.side == "buy" else Side.SELL
        fee, fee_asset = fee_of(row, instrument, side)
        fill = Fill(
            venue=self._venue,
            child_id=child_id,
            instrument=instrument,
            fill_id=str(row.id),
            side=side,
            price=instrument.price(wire.number(row.price)),
            quantity=instrument.quantity(wire.number(row.quantity)),
            fee=fee,
            fee_asset=fee_asset,
            liquidity=Liquidity.MAKER if row.role == "maker" else Liquidity.TAKER,
            venue_time_ns=time_ns(row.time_ms),
            received_ns=now_ns,
        )
        return FillReported(now_ns, fill, str(row.order_id))

    def _balances(self, rows: list[order_wire.HoldingRow], now_ns: int, *, is_whole: bool) -> BalancesRead:
        balances = {row.asset.upper(): balance_of(row) for row in rows}
        return BalancesRead(self._venue, now_ns, balances, is_whole)

    def _open_orders(self, errand: Errand, markets: list[order_wire.OpenRow], now_ns: int) -> Told:
        """Rule 8: told when the last page is in."""
        rows = [row for market in markets for row in market.orders]
        self._open = self._open + rows if errand.cursor else rows
        if any(len(market.orders) >= ORDERS_AT_ONCE for market in markets):
            return Told(errands=[errand._replace(cursor=str(int(_page(errand)) + 1))])
        rows, self._open = self._open, []
        ours = {str(row.id): child_id for row in rows if (child_id := _ours(row.text))}
        foreign = dict.fromkeys(str(row.id) for row in rows if str(row.id) not in ours)
        return Told([OpenOrdersRead(self._venue, now_ns, tuple(dict.fromkeys(ours.values())), tuple(foreign))])

    def _fees(self, errand: Errand, row: order_wire.FeeRow, now_ns: int) -> VenueOrderEvent:
        maker, taker = (row.gt_maker, row.gt_taker) if row.pays_in_gt else (row.maker, row.taker)
        rates = [signed_decimal(wire.number(rate), RATE_DECIMALS) for rate in (maker, taker)]
        return FeesRead(self._venue, now_ns, self._instrument(errand.symbol), *rates)

    def _instrument(self, symbol: str) -> Instrument:
        listing = self._listings.get(symbol)
        if listing is None:
            raise FrameRefused(f"{symbol[:40]!r} is no market that we trade in")
        return listing.instrument


class _Asked(NamedTuple):
    """What follows the method of a call."""

    path: str
    query: str


def _terms(errand: Errand) -> ChildTerms:
    if errand.terms is None:
        raise CallRefused(f"{errand.purpose} without the child that it is about")
    return errand.terms


def _page(errand: Errand) -> str:
    return errand.cursor or "1"


def _placing(terms: ChildTerms) -> bytes:
    """Rule 1."""
    instrument = terms.instrument
    time_in_force = WOULD_TAKE if terms.post_only else terms.time_in_force.lower()
    quantity, price = instrument.show_quantity(terms.quantity), instrument.show_price(terms.limit_price)
    return order_wire.place(PREFIX + terms.child_id, terms.symbol, terms.side, quantity, price, time_in_force)


def _one_order(errand: Errand) -> _Asked:
    """Rule 2."""
    terms = _terms(errand)
    name = errand.venue_order_id or PREFIX + terms.child_id
    return _Asked(f"/spot/orders/{name}", f"currency_pair={terms.symbol}")


def _ended_orders(errand: Errand) -> _Asked:
    query = f"currency_pair={_terms(errand).symbol}&status=finished&page={_page(errand)}&limit={ORDERS_AT_ONCE}"
    return _Asked("/spot/orders", query + _since(errand))


def _fills_asked(errand: Errand) -> str:
    query = f"currency_pair={_terms(errand).symbol}&limit={FILLS_AT_ONCE}&page={_page(errand)}"
    return query + (f"&order_id={errand.venue_order_id}" if errand.venue_order_id else _since(errand))


def _since(errand: Errand) -> str:
    return f"&from={errand.sent_ns // SECOND - CLOCKS_APART_S}" if errand.sent_ns else ""


def _ours(text: str | None) -> str:
    """Our child's id, empty for an order that is not ours."""
    match = OURS.fullmatch(text or "")
    return match.group(1) if match else ""
