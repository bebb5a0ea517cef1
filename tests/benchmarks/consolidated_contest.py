"""Four venues' books as one: our merge, against sorting what ccxt's four books show."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

from aggregator.books.consolidated import MergedSide, View, consolidate
from tests.benchmarks.contest import Figure, Run, duel
from tests.benchmarks.contestants import Ours, Theirs
from tests.benchmarks.frames import synthetic

DEPTH = 50
MERGES = 200
VENUES = ("binance", "huobi", "cryptocom", "gateio")

Contestant = TypeVar("Contestant", Ours, Theirs)

Level = tuple[Decimal, Decimal, dict[str, Decimal]]


def run() -> Iterator[Figure]:
    feeds = [synthetic(changes=4, messages=500, seed=seed) for seed in range(len(VENUES))]
    books = [_played(Ours(feed, venue)) for feed, venue in zip(feeds, VENUES, strict=True)]
    theirs = [_played(Theirs(feed)) for feed in feeds]
    sides = {name: [list(map(tuple, contestant.book[name])) for contestant in theirs] for name in ("bids", "asks")}
    peers = (("the whole books sorted", None, 1.8), (f"their best {DEPTH} levels sorted", DEPTH, None))
    for peer, depth, target in peers:
        yield duel(
            f"four venues merged to {DEPTH} levels: against {peer}",
            "µs/merge",
            1e6 / MERGES,
            lambda: Run(lambda: _repeat(lambda: _ours(books)), lambda: _our_outcome(books)),
            partial(_sorting, sides, depth),
            target,
        )


def _played(contestant: Contestant) -> Contestant:
    """At once, before the next one is made: ccxt's client hands a frame to the book that was made last."""
    contestant.play()
    return contestant


def _repeat(merge: Any) -> None:
    for _ in range(MERGES):
        merge()


def _ours(books: list[Ours]) -> Any:
    instrument = books[0].book.listing.instrument
    return consolidate(instrument, [contestant.book for contestant in books], DEPTH, View.GROSS)


def _sorting(sides: dict[str, list[Any]], depth: int | None) -> Run:
    return Run(lambda: _repeat(lambda: _theirs(sides, depth)), lambda: _their_outcome(sides, depth))


def _theirs(sides: dict[str, list[Any]], depth: int | None) -> tuple[list[Any], list[Any]]:
    """What a user of four ccxt books writes: sort the levels of all, add up those of one price, and remember whose they
    are. Who thinks of it takes no more than each book's best levels. ccxt's books are lists of price and quantity, and
    stand ready."""
    return _sorted_levels(sides["bids"], depth, reverse=True), _sorted_levels(sides["asks"], depth, reverse=False)


def _sorted_levels(books: list[Any], depth: int | None, *, reverse: bool) -> list[Any]:
    levels = [
        (price, quantity, venue) for venue, book in zip(VENUES, books, strict=True) for price, quantity in book[:depth]
    ]
    levels.sort(key=lambda level: level[0], reverse=reverse)
    merged: list[Any] = []
    for price, quantity, venue in levels:
        if merged and merged[-1][0] == price:
            merged[-1][1] += quantity
            merged[-1][2][venue] = quantity
        elif len(merged) == DEPTH:
            break
        else:
            merged.append([price, quantity, {venue: quantity}])
    return merged


def _our_outcome(books: list[Ours]) -> list[list[Level]]:
    merged = _ours(books)
    return [_exact(merged.instrument, side) for side in (merged.bids, merged.asks)]


def _exact(instrument: Any, side: MergedSide) -> list[Level]:
    price, quantity = instrument.show_price, instrument.show_quantity
    return [
        (
            Decimal(price(at)),
            Decimal(quantity(side.quantities[index])),
            {venue: Decimal(quantity(share)) for venue, share in side.venues_at(index).items()},
        )
        for index, at in enumerate(side.prices)
    ]


def _their_outcome(sides: dict[str, list[Any]], depth: int | None) -> list[list[Level]]:
    """As exact numbers: what was added in binary is added again from its parts."""
    return [
        [
            (Decimal(repr(price)), sum((Decimal(repr(share)) for share in shares.values()), Decimal()), exact)
            for price, _, shares in side
            for exact in [{venue: Decimal(repr(share)) for venue, share in shares.items()}]
        ]
        for side in _theirs(sides, depth)
    ]
