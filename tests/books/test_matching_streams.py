"""The local book and its naive twin on the same random orders: the same events, the same book, after every step.

The long run, a million operations, takes some ten minutes: AGGREGATOR_LONG_RUN=1 make test ARGS="-k matching_streams".
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import astuple, replace
from random import Random

import pytest

from aggregator.books.matching import LocalBook
from aggregator.domain.instrument import Instruments, Side
from aggregator.domain.local import BookState, LocalEvent, LocalOrder, Refused, SelfTrade, TickBand
from aggregator.domain.order import TimeInForce
from tests.twins.matching import BTC, PLAIN, NaiveLocalBook, ToldBook

OPERATIONS = 1_000_000 if os.environ.get("AGGREGATOR_LONG_RUN") else 50_000
CHUNKS = 10
RESTORED_EVERY = 250
"""From then on the book that was restored takes part, instead of the one that was written down."""

AnyBook = LocalBook | NaiveLocalBook

RULES = (
    PLAIN,
    replace(PLAIN, lot=4, self_trade=SelfTrade.DECREMENT, reference_price=104),
    replace(PLAIN, ticks=(TickBand(BTC, 0, 2), TickBand(BTC, 100, 4)), self_trade=SelfTrade.CANCEL_OLDEST),
    replace(PLAIN, price_band_bps=800, self_trade=SelfTrade.CANCEL_BOTH, maximum_quantity=0, minimum_notional=0),
)
QUANTITIES = (4, 6, 8, 10, 12, 16, 20, 40, 100, 1000)
BAD_QUANTITIES = (0, -4, 1, 2, 7, 1002, 10**40)
BAD_PRICES = (0, -100, 1, 79, 121, 111, 10**40)


class Trader:
    """Makes up what is asked next. It is given the book only to know which orders there are."""

    def __init__(self, seed: int) -> None:
        self._chance = Random(seed)
        self._count = 0
        self._now_ns = 1_000

    def next_request(self, ids: list[str], state: BookState) -> tuple[str, tuple[object, ...]]:
        """A method of the book, and its arguments."""
        chance = self._chance
        self._now_ns += chance.choice((0, 1, 5, -20, 40))
        kind = chance.random()
        if kind < 0.004 or (state is not BookState.OPEN and kind < 0.03):
            return "turn", (chance.choice((BookState.OPEN, *BookState)), self._now_ns, "calendar")
        if kind < 0.033:
            return "set_rules", (chance.choice(RULES), self._now_ns)
        order_id = chance.choice(ids) if ids and chance.random() < 0.97 else f"{self._count - chance.randint(0, 40)}"
        if kind < 0.25 + min(0.2, len(ids) / 400):
            return "cancel", (order_id, self._now_ns)
        if kind < 0.55:
            quantity, price = chance.choice((None, self._quantity())), chance.choice((None, None, self._price()))
            return "amend", (order_id, quantity, price, self._now_ns)
        return "place", (self._order(ids),)

    def _order(self, ids: list[str]) -> LocalOrder:
        chance = self._chance
        self._count += 1
        order_id = str(self._count)
        if chance.random() < 0.02:
            order_id = chance.choice([*ids[-5:], f"{self._count - 1}", ""])
        return LocalOrder(
            order_id,
            chance.choice("uvwxyz"),
            BTC,
            chance.choice((Side.BUY, Side.SELL)),
            self._quantity(),
            None if chance.random() < 0.08 else self._price(),
            chance.choice((TimeInForce.GTC, TimeInForce.GTC, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK)),
            self._now_ns,
            post_only=chance.random() < 0.1,
            self_trade=chance.choice((None, None, *SelfTrade)),
        )

    def _quantity(self) -> int:
        return self._chance.choice(QUANTITIES if self._chance.random() < 0.98 else BAD_QUANTITIES)

    def _price(self) -> int:
        if self._chance.random() < 0.02:
            return self._chance.choice(BAD_PRICES)
        return round(self._chance.triangular(90, 112))


def state_sha256(book: AnyBook) -> str:
    """Over all that can be asked of a book."""
    orders = [astuple(order) for side in Side for order in book.orders(side)]
    levels = [(book.levels(side), book.best(side)) for side in Side]
    return hashlib.sha256(repr((orders, levels, book.state, book.last_price, book.sequence)).encode()).hexdigest()


def undetailed(events: list[LocalEvent]) -> list[LocalEvent]:
    """Without what a refusal says to people."""
    return [replace(event, detail="") if isinstance(event, Refused) else event for event in events]


def assert_told(told: ToldBook, book: LocalBook) -> None:
    """What the events alone tell is the book."""
    for side in Side:
        orders = [
            (order.order_id, order.account, order.price, order.quantity, order.sequence) for order in book.orders(side)
        ]
        heard = [
            (order.order_id, order.account, order.price, order.quantity, order.sequence) for order in told.orders(side)
        ]
        assert heard == orders
        assert told.levels(side) == book.levels(side)


def steps(seed: int, count: int) -> Iterator[tuple[LocalBook, list[LocalEvent]]]:
    """A random stream on both; after every step they are compared."""
    trader, rules = Trader(seed), RULES[seed % len(RULES)]
    book, twin = LocalBook(rules, BookState.PRE_OPEN), NaiveLocalBook(rules, BookState.PRE_OPEN)
    for number in range(count):
        ids = [order.order_id for order in twin.standing]
        method, arguments = trader.next_request(ids, twin.state)
        events = getattr(book, method)(*arguments)
        assert undetailed(events) == getattr(twin, method)(*arguments), (
            f"seed {seed}, step {number}: {method} {arguments}"
        )
        assert state_sha256(book) == state_sha256(twin), f"seed {seed}, step {number}: {method} {arguments}"
        if number % RESTORED_EVERY == 0:
            restored = LocalBook.restore(book.document(), Instruments([BTC]))
            assert restored.document() == book.document()
            book = restored
        yield book, events


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(CHUNKS))
def test_a_random_stream_ends_in_the_same_book(seed: int) -> None:
    told, codes, kinds = ToldBook(), set(), set()
    for number, (book, events) in enumerate(steps(seed, OPERATIONS // CHUNKS)):
        for event in events:
            told.hear(event)
            kinds.add(type(event).__name__)
            codes.add(getattr(event, "code", getattr(event, "reason", "")))
        if number % 20 == 0:
            book.check()
            assert_told(told, book)
    assert len(kinds) == 7, kinds
    assert len(codes) >= 24, codes
