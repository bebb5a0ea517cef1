"""The checks of a connector's order entry, at a simulated venue that trades: what is told of each order and fill is
held against the venue's own record of it."""

from __future__ import annotations

from itertools import count

from aggregator.domain.effects import AskAccount, AskChild, AskFills, CancelChild, PlaceChild
from aggregator.domain.instrument import Listing, Side
from aggregator.domain.lifecycle import Word
from aggregator.domain.order import ChildTerms, Fill, Liquidity, TimeInForce
from aggregator.domain.order_events import About, AccountStream, BalancesRead, ExecutionReport, FillReported
from connectors.certification.bench import MINUTE, SECOND, Bench
from connectors.certification.subject import NotExercised, Subject, Trial, Wrong
from connectors.simulation.account import SimulatedOrder

ANSWERED_WITHIN_NS = 20 * SECOND
"""A call waits ten seconds for its reply at most, and may wait for its budget before."""

LIVE_WORDS = frozenset({Word.RECEIVED, Word.WORKING})
ORDER_ID = "certif0000000001"
"""As long as every id of ours is: by that some venues' answers are told from those about other people's orders."""


class Desk:
    """The account that trades, with everything that was told of it."""

    def __init__(self, subject: Subject) -> None:
        self.bench = Bench(subject, mean_wait_ns=SECOND, trades=True).started()
        self._slices = count()
        self.bench.until(self._is_ready, MINUTE, "the account's private stream was not live")
        self.listing: Listing = self.bench.exchange.listing(self.bench.symbols[0])

    def terms(self, side: Side, price: int, tif: TimeInForce, *, lots: int = 0, post_only: bool = False) -> ChildTerms:
        """An order of so many lots, or of what the venue surely takes."""
        listing = self.listing
        least = max(listing.minimum_quantity, -(-listing.minimum_notional // max(price, 1)), listing.lot)
        quantity = lots * listing.lot or (2 * least // listing.lot + 1) * listing.lot
        child_id = f"{ORDER_ID}-{next(self._slices):03d}"
        return ChildTerms(
            child_id, ORDER_ID, listing.venue, listing.symbol, listing.instrument, side, quantity, price, tif, post_only
        )

    @property
    def best_ask(self) -> int:
        return self.bench.exchange.book(self.listing.symbol, 1).asks.prices[0]

    def far_price(self) -> int:
        """A bid that nobody meets, with every digit that the tick allows."""
        tick = self.listing.tick
        return self.best_ask * 8 // 10 // tick * tick + tick

    def taking_price(self) -> int:
        tick = self.listing.tick
        return self.best_ask * 102 // 100 // tick * tick

    def place(self, terms: ChildTerms) -> Word:
        """Send it; returns what the answer says."""
        self.bench.lane.submit(PlaceChild(terms))
        return self._answer(terms, About.PLACE).word

    def cancel(self, terms: ChildTerms) -> Word:
        self.bench.lane.submit(CancelChild(terms, self.venue_order_id(terms)))
        return self._answer(terms, About.CANCEL).word

    def ask(self, terms: ChildTerms) -> Word:
        """What became of it, by our id."""
        sent_ns = self.bench.now_ns - ANSWERED_WITHIN_NS
        known = len(self.reports(terms, About.ASK))
        self.bench.lane.submit(AskChild(terms, "", sent_ns))
        self.bench.until(
            lambda: len(self.reports(terms, About.ASK)) > known, ANSWERED_WITHIN_NS, "a question had no answer"
        )
        return self.reports(terms, About.ASK)[-1].word

    def ask_fills(self, terms: ChildTerms) -> None:
        self.bench.lane.submit(AskFills(terms, self.venue_order_id(terms), self.bench.now_ns - ANSWERED_WITHIN_NS))
        self.bench.run(2 * SECOND)

    def reports(self, terms: ChildTerms, about: About | None = None) -> list[ExecutionReport]:
        return [
            event
            for event in self.bench.account_events
            if isinstance(event, ExecutionReport) and event.child_id == terms.child_id and about in (None, event.about)
        ]

    def fills(self, terms: ChildTerms) -> dict[str, Fill]:
        """By the venue's id: a fill that is told again under its id is the same one."""
        told = [event.fill for event in self.bench.account_events if isinstance(event, FillReported)]
        return {fill.fill_id: fill for fill in told if fill.child_id == terms.child_id}

    def venue_order_id(self, terms: ChildTerms) -> str:
        return next((report.venue_order_id for report in reversed(self.reports(terms)) if report.venue_order_id), "")

    def orders(self, terms: ChildTerms) -> list[SimulatedOrder]:
        """What the venue has of it; a venue may want a letter before our id."""
        found: list[SimulatedOrder] = self.bench.account.all_orders()
        return [order for order in found if order.client_id.endswith(terms.child_id)]

    def only_order(self, terms: ChildTerms) -> SimulatedOrder:
        found = self.orders(terms)
        if len(found) != 1:
            raise Wrong(f"the venue has the order {len(found)} times, and it was placed once")
        return found[0]

    def require_word(self, terms: ChildTerms, word: Word, *wanted: Word) -> None:
        if word not in wanted:
            reason = next((report.reason for report in reversed(self.reports(terms)) if report.reason), "")
            raise Wrong(f"told as {word}, where {' or '.join(wanted)} is true{f' ({reason})' if reason else ''}")

    def require_fills(self, terms: ChildTerms) -> int:
        """Each fill of the venue's once, to the last digit; returns how many."""
        order = self.only_order(terms)
        true = sorted(
            (str(fill.fill_id), fill.side, fill.price, fill.quantity, fill.fee, fill.fee_asset, fill.is_maker)
            for fill in self.bench.account.fills(order.order_id)
        )
        ours = sorted(
            (fill.side, fill.price, fill.quantity, fill.fee, fill.fee_asset, fill.liquidity is Liquidity.MAKER)
            for fill in self.fills(terms).values()
        )
        if len(ours) != len(true):
            raise Wrong(f"{len(ours)} fills were told, and the venue made {len(true)}")
        for mine, theirs in zip(ours, sorted(row[1:] for row in true), strict=True):
            if mine != theirs:
                raise Wrong(f"a fill was told as {_shown(terms, mine)}, and is {_shown(terms, theirs)}")
        return len(true)

    def _answer(self, terms: ChildTerms, about: About) -> ExecutionReport:
        self.bench.until(
            lambda: bool(self.reports(terms, about)), ANSWERED_WITHIN_NS, f"nothing was told about {about}"
        )
        self.bench.run(SECOND)
        return self.reports(terms, about)[0]

    def _is_ready(self) -> bool:
        streams = [event for event in self.bench.account_events if isinstance(event, AccountStream)]
        return bool(streams) and (streams[-1].is_live or "no private stream" in streams[-1].reason)


def _shown(terms: ChildTerms, fill: tuple[Side, int, int, int, str, bool]) -> str:
    side, price, quantity, fee, asset, is_maker = fill
    shown = f"{side} {terms.instrument.show_quantity(quantity)} at {terms.instrument.show_price(price)}"
    return f"{shown}, fee {fee} units of {asset}, {'maker' if is_maker else 'taker'}"


def _lives(subject: Subject) -> str:
    desk = Desk(subject)
    terms = desk.terms(Side.BUY, desk.far_price(), TimeInForce.GTC)
    desk.require_word(terms, desk.place(terms), *LIVE_WORDS)
    desk.require_word(terms, desk.ask(terms), Word.WORKING)
    if not desk.only_order(terms).is_open:
        raise Wrong("the order is told as working, and is not in the venue's book")
    desk.require_word(terms, desk.cancel(terms), Word.ENDED, Word.RECEIVED)
    desk.require_word(terms, desk.ask(terms), Word.ENDED)
    if desk.only_order(terms).is_open:
        raise Wrong("the order is told as ended, and is still in the venue's book")
    return "placed, found working by our id, canceled, found ended"


def _fills(subject: Subject) -> str:
    desk = Desk(subject)
    bought = desk.terms(Side.BUY, desk.taking_price(), TimeInForce.IOC)
    desk.require_word(bought, desk.place(bought), *LIVE_WORDS, Word.ENDED)
    desk.require_word(bought, desk.ask(bought), Word.ENDED)
    desk.ask_fills(bought)
    fills = desk.require_fills(bought)
    if not fills:
        raise Wrong("an order that could be filled at once was not")
    executed = desk.reports(bought, About.ASK)[-1].executed
    if executed is not None and executed != desk.only_order(bought).filled:
        raise Wrong(f"told as filled by {executed}, and the venue has {desk.only_order(bought).filled}")
    return f"{fills} fills with price, quantity, fee and liquidity as the venue has them"


def _fills_once(subject: Subject) -> str:
    desk = Desk(subject)
    desk.bench.on("double_report")
    terms = desk.terms(Side.BUY, desk.taking_price(), TimeInForce.IOC)
    desk.place(terms)
    desk.bench.off("double_report")
    desk.ask_fills(terms)
    desk.ask_fills(terms)
    return f"{desk.require_fills(terms)} fills, each counted once"


def _is_exact(subject: Subject) -> str:
    desk = Desk(subject)
    checked = 0
    for lots in (1, 3, 7, 123_457, 9_999_999):
        price = desk.far_price() - lots % 10 * desk.listing.tick
        least = desk.terms(Side.BUY, price, TimeInForce.GTC).quantity // desk.listing.lot
        terms = desk.terms(Side.BUY, price, TimeInForce.GTC, lots=least + lots)
        word = desk.place(terms)
        if word is Word.REJECTED and not desk.orders(terms) and lots > 1000:
            continue  # more than the account has
        desk.require_word(terms, word, *LIVE_WORDS)
        order = desk.only_order(terms)
        if (order.price, order.quantity) != (terms.limit_price, terms.quantity):
            show_price, show_quantity = terms.instrument.show_price, terms.instrument.show_quantity
            sent = f"{show_quantity(terms.quantity)} at {show_price(terms.limit_price)}"
            raise Wrong(f"{sent} came to the venue as {show_quantity(order.quantity)} at {show_price(order.price)}")
        if (order.side, order.symbol) != (terms.side, terms.symbol):
            raise Wrong(f"a {terms.side} of {terms.symbol} came to the venue as a {order.side} of {order.symbol}")
        desk.cancel(terms)
        checked += 1
    return f"{checked} orders came to the venue digit by digit"


def _keeps_sides(subject: Subject) -> str:
    desk = Desk(subject)
    tick = desk.listing.tick
    sold = desk.terms(Side.SELL, desk.best_ask * 12 // 10 // tick * tick, TimeInForce.GTC)
    desk.require_word(sold, desk.place(sold), *LIVE_WORDS)
    if desk.only_order(sold).side is not Side.SELL:
        raise Wrong("a sell came to the venue as a buy: the side is inverted")
    taking = desk.terms(Side.BUY, desk.taking_price(), TimeInForce.GTC, post_only=True)
    word = desk.place(taking)
    desk.bench.run(SECOND)
    found = desk.orders(taking)
    if any(order.filled for order in found):
        raise Wrong("a post-only order was filled on arrival: the venue was not told that it is one")
    if word in LIVE_WORDS:
        word = desk.ask(taking)
    desk.require_word(taking, word, Word.REJECTED, Word.ENDED)
    killed = desk.terms(Side.BUY, desk.far_price(), TimeInForce.FOK)
    word = desk.place(killed)
    if word in LIVE_WORDS:
        word = desk.ask(killed)
    desk.require_word(killed, word, Word.REJECTED, Word.ENDED)
    return "a sell is a sell, post-only takes nothing, a fill or kill that cannot be filled is gone"


def _minimums(subject: Subject) -> str:
    desk = Desk(subject)
    price = desk.far_price()
    terms = desk.terms(Side.BUY, price, TimeInForce.GTC, lots=1)
    if terms.quantity >= desk.listing.minimum_quantity and terms.quantity * price >= desk.listing.minimum_notional:
        terms = desk.terms(
            Side.BUY, price + desk.listing.tick // 2, TimeInForce.GTC
        )  # nothing is too small: off the tick
    word = desk.place(terms)
    desk.require_word(terms, word, Word.REJECTED, Word.NOT_SENT)
    if desk.orders(terms):
        raise Wrong("told as rejected, and the venue has the order")
    return f"an order that the venue's rules forbid is told as {word}"


def _too_dear(subject: Subject) -> str:
    desk = Desk(subject)
    quote = desk.listing.instrument.quote
    free = desk.bench.account.balances()[quote][0]
    desk.bench.account.transfer(quote, -free)
    terms = desk.terms(Side.BUY, desk.far_price(), TimeInForce.GTC)
    word = desk.place(terms)
    desk.require_word(terms, word, Word.REJECTED)
    return f"told as rejected: {desk.reports(terms)[0].reason}"


def _balances(subject: Subject) -> str:
    desk = Desk(subject)
    bought = desk.terms(Side.BUY, desk.taking_price(), TimeInForce.IOC)
    resting = desk.terms(Side.BUY, desk.far_price(), TimeInForce.GTC)
    desk.place(bought)
    desk.place(resting)
    since = len(desk.bench.account_events)
    desk.bench.lane.submit(AskAccount(desk.listing.venue))

    def told() -> list[BalancesRead]:
        events = desk.bench.account_events[since:]
        return [event for event in events if isinstance(event, BalancesRead) and event.is_whole]

    desk.bench.until(lambda: bool(told()), ANSWERED_WITHIN_NS, "the balances were not told")
    ours = told()[-1].balances
    for asset, (free, held) in desk.bench.account.balances().items():
        balance = ours.get(asset)
        known = (balance.free, balance.total) if balance is not None else (0, 0)
        if known != (free, free + held):
            raise Wrong(f"{asset}: told as {known[0]} free of {known[1]}, and it is {free} of {free + held} units")
    return f"{len(ours)} assets, free and in all, to the last unit"


def _in_doubt(subject: Subject, fault: str, *, is_there: bool) -> str:
    """The order may have arrived, and no reply says so. It is in doubt, sent once, and found by our id."""
    desk = Desk(subject)
    desk.bench.on(fault, count=1)
    terms = desk.terms(Side.BUY, desk.taking_price(), TimeInForce.IOC)
    word = desk.place(terms)
    desk.bench.run(30 * SECOND)
    sent = len(desk.orders(terms))
    if sent > 1:
        raise Wrong(f"the order's outcome was unknown, and it was sent again: the venue has it {sent} times")
    if word is not Word.IN_DOUBT:
        raise Wrong(f"nobody knew whether the order had arrived, and it was told as {word}: it could be sent again")
    answer = desk.ask(terms)
    if is_there:
        desk.require_word(terms, answer, Word.ENDED)
        desk.ask_fills(terms)
        return f"in doubt, then found by our id with {desk.require_fills(terms)} fills; sent once"
    desk.require_word(terms, answer, Word.MISSING)
    return "in doubt, then found to be missing; sent once"


def _reply_lost(subject: Subject) -> str:
    return _in_doubt(subject, "order_reply_lost", is_there=True)


def _reply_late(subject: Subject) -> str:
    return _in_doubt(subject, "order_timeout", is_there=True)


def _reply_5xx(subject: Subject) -> str:
    return _in_doubt(subject, "order_5xx", is_there=True)


def _order_lost(subject: Subject) -> str:
    return _in_doubt(subject, "order_lost", is_there=False)


def _order_429(subject: Subject) -> str:
    desk = Desk(subject)
    desk.bench.on("http_status", status=429, retry_after=10, count=1)
    terms = desk.terms(Side.BUY, desk.far_price(), TimeInForce.GTC)
    word = desk.place(terms)
    desk.bench.run(30 * SECOND)
    if desk.orders(terms):
        raise Wrong("an order that was turned away by rate was sent again by itself")
    desk.require_word(terms, word, Word.NOT_SENT, Word.IN_DOUBT)
    return f"told as {word}, and not sent again"


def _stream_ends(subject: Subject) -> str:
    desk = Desk(subject)
    since = len(desk.bench.account_events)
    desk.bench.on("private_disconnect")
    terms = desk.terms(Side.BUY, desk.far_price(), TimeInForce.GTC)
    desk.place(terms)

    def states() -> list[bool]:
        return [event.is_live for event in desk.bench.account_events[since:] if isinstance(event, AccountStream)]

    desk.bench.until(lambda: False in states(), MINUTE, "the private stream ended, and that was not told")
    desk.bench.until(lambda: states()[-1], 2 * MINUTE, "the private stream did not come back")
    return "told to be dead, and live again"


def _hears_itself(subject: Subject) -> str:
    """What the venue does by itself comes over the private stream, without a question."""
    desk = Desk(subject)
    desk.bench.on("reject_after_ack")
    terms = desk.terms(Side.BUY, desk.far_price(), TimeInForce.GTC)
    desk.place(terms)
    desk.bench.run(2 * SECOND)
    if desk.only_order(terms).is_open:
        raise NotExercised("the venue ended nothing by itself")
    words = [report.word for report in desk.reports(terms)]
    if not {Word.ENDED, Word.REJECTED} & set(words):
        raise Wrong(f"the venue ended an order by itself, and that was told as {words[-1]}")
    return f"told as {words[-1]}"


TRIALS = (
    Trial("order life", "an order was placed, asked after, canceled", "each word is true at the venue", _lives),
    Trial("fills", "an order that is filled at once was placed", "each fill is told to the last digit", _fills),
    Trial("fills once", "the venue told each fill twice", "each counts once", _fills_once),
    Trial("precision", "orders of many digits were placed", "they are at the venue as sent", _is_exact),
    Trial(
        "terms", "a sell, a post-only and a fill or kill were placed", "they are at the venue as meant", _keeps_sides
    ),
    Trial("minimums", "an order was placed that rules forbid", "it is told as rejected", _minimums),
    Trial("funds", "an order was placed without the money for it", "it is told as rejected", _too_dear),
    Trial("balances", "balances were asked for after trading", "they are the venue's to the last unit", _balances),
    Trial("reply lost", "an order arrived, its reply did not", "in doubt, found by our id, sent once", _reply_lost),
    Trial("reply late", "the reply to an order never came", "in doubt, found by our id, sent once", _reply_late),
    Trial("order 5xx", "an order arrived and was answered 504", "in doubt, found by our id, sent once", _reply_5xx),
    Trial("order lost", "an order never arrived, nor a reply", "in doubt, then missing, sent once", _order_lost),
    Trial("order 429", "an order was turned away by rate", "not sent, and not sent again by itself", _order_429),
    Trial("private stream", "the private stream was cut", "that is told, and it comes back", _stream_ends),
    Trial("own word", "the venue ended an order by itself", "that is told without a question", _hears_itself),
)
