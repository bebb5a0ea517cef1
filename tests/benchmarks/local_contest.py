"""The local book on a mixed flow: 60 % new orders that rest, 30 % cancels, 10 % orders that cross the spread.

From numbers to the book, each contestant with its own kind of order. The peer is the fastest of the matching engines in
Python that were found on PyPI and end in the right book: akhil4n-orderbook. It judges no order by any rule and tells
nobody what happened, so it has less to do; `pip install akhil4n-orderbook` lets it take part. The naive twin does all
that the local book does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import metadata
from random import Random
from typing import Any, NamedTuple

from aggregator.books.matching import LocalBook
from aggregator.domain.instrument import Fees, Instrument, Side
from aggregator.domain.local import BookState, LocalOrder, LocalRules, TickBand
from aggregator.domain.order import TimeInForce
from tests.benchmarks.contest import Figure, Run, duel
from tests.twins.matching import NaiveLocalBook

PEER = "akhil4n-orderbook"

BTC = Instrument.of("BTC", "KRW")
MIDDLE = 100_000
NEAR = 2_000
"""How far from the middle the flow's prices are at most."""

RULES = LocalRules(BTC, (TickBand(BTC, 0, 1),), 1, 1, 10_000, 1, MIDDLE, 9_000, 1_000, Fees())

OPERATIONS = 20_000
OPERATIONS_OF_THE_TWIN = 1_500
RESTING = 100_000

BUY, SELL, GTC = Side.BUY, Side.SELL, TimeInForce.GTC


class Step(NamedTuple):
    """A new order, or the cancel of the one of this id when the quantity is 0."""

    order_id: str
    account: str
    side: Side
    quantity: int
    price: int


Outcome = list[list[tuple[int, str, int]]]
"""Price, id and quantity of every order that rests, bids and asks, as they would trade."""


def run() -> Iterator[Figure]:
    steps = flow(OPERATIONS, seed=1)
    short = steps[:OPERATIONS_OF_THE_TWIN]
    yield duel("mixed flow, against the naive twin", *_unit(short), _prepared(short), _naive(short), 2)
    case = f"mixed flow, against {PEER}"
    if _has_peer():
        yield duel(case, *_unit(steps), _prepared(steps), _peer(steps))
    else:
        yield Figure(case, skipped=f"peer not installed: pip install {PEER}")
    deep = _prepared(steps, beyond=far_orders(RESTING))
    yield duel(f"{RESTING:,} orders rest, against an empty book", *_unit(steps), deep, _prepared(steps), 0.5)


def flow(count: int, seed: int) -> list[Step]:
    """What is canceled rests; new orders are nearer to the middle than not, two or three at a price."""
    chance = Random(seed)
    book, steps, known = LocalBook(RULES, BookState.OPEN), list[Step](), list[str]()
    while len(steps) < count:
        kind, side = chance.random(), chance.choice((BUY, SELL))
        away = -1 if side is BUY else 1
        distance = min(1 + int(chance.expovariate(1 / 700)), NEAR)
        order_id, account = str(len(steps)), f"account {side}"
        if kind < 0.6:
            step = Step(order_id, account, side, chance.randint(1, 100), MIDDLE + away * distance)
        elif kind < 0.7:
            step = Step(order_id, account, side, chance.randint(50, 250), MIDDLE - away * 20)
        else:
            canceled = _any_resting(book, known, chance)
            if canceled is None:
                continue
            step = Step(canceled, account, side, 0, 0)
        known.append(order_id)
        _take(book, step)
        steps.append(step)
    return steps


def _any_resting(book: LocalBook, known: list[str], chance: Random) -> str | None:
    while known:
        at = chance.randrange(len(known))
        known[at], known[-1] = known[-1], known[at]
        order_id = known.pop()
        if book.order(order_id) is not None:
            return order_id
    return None


def far_orders(count: int) -> list[Step]:
    """Orders that the flow does not reach, five at a price."""
    return [
        Step(f"far {number}", f"account {side}", side, 10, MIDDLE + sign * (NEAR + 1 + number // 10))
        for number in range(count)
        for side, sign in [((BUY, -1), (SELL, 1))[number % 2]]
    ]


def _take(book: LocalBook | NaiveLocalBook, step: Step) -> None:
    order_id, account, side, quantity, price = step
    if quantity:
        book.place(LocalOrder(order_id, account, BTC, side, quantity, price, GTC, 1))
    else:
        book.cancel(order_id, 1)


def _play(book: LocalBook | NaiveLocalBook, steps: Sequence[Step]) -> None:
    for step in steps:
        _take(book, step)


def _prepared(steps: Sequence[Step], beyond: Sequence[Step] = ()) -> Callable[[], Run]:
    def prepare() -> Run:
        book = LocalBook(RULES, BookState.OPEN)
        _play(book, beyond)
        return Run(partial(_play, book, steps), partial(_outcome, book))

    return prepare


def _naive(steps: Sequence[Step]) -> Callable[[], Run]:
    def prepare() -> Run:
        book = NaiveLocalBook(RULES, BookState.OPEN)
        return Run(partial(_play, book, steps), partial(_outcome, book))

    return prepare


def _outcome(book: LocalBook | NaiveLocalBook) -> Outcome:
    return [
        [(order.price, order.order_id, order.quantity) for order in book.orders(side) if order.order_id[:3] != "far"]
        for side in Side
    ]


def _has_peer() -> bool:
    """By the name of the distribution: its module's name belongs to others as well."""
    try:
        return bool(metadata.version(PEER))
    except metadata.PackageNotFoundError:
        return False


def _peer(steps: Sequence[Step]) -> Callable[[], Run]:
    """It takes decimals and whole numbers alike; whole numbers are the faster ones. It gives orders ids of its own."""
    from orderbook import Order, OrderBook, OrderSide  # type: ignore[import-not-found]

    sides = {BUY: OrderSide.BID, SELL: OrderSide.ASK}

    def prepare() -> Run:
        book, ids = OrderBook(), dict[str, str]()

        def play() -> None:
            for order_id, _, side, quantity, price in steps:
                if quantity:
                    order = Order(sides[side], price, quantity)
                    ids[order_id] = order.order_id
                    book.add_limit_order(order)
                else:
                    book.cancel_order(ids[order_id])

        return Run(play, lambda: _peer_outcome(book, ids))

    return prepare


def _peer_outcome(book: Any, ids: dict[str, str]) -> Outcome:
    ours = {theirs: order_id for order_id, theirs in ids.items()}
    return [
        [
            (price, ours[order.order_id], order.remaining_quantity)
            for price, level in side.items()
            for order in level.queue.values()
        ]
        for side in (book.bids, book.asks)
    ]


def _unit(steps: Sequence[Step]) -> tuple[str, float]:
    return "µs/operation", 1e6 / len(steps)
