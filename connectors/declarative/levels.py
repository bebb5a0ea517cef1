"""The three forms in which a declared message holds its levels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aggregator.config.declared import BookMessage, Pairs, Rows, Sides
from aggregator.domain.book import Levels
from aggregator.domain.errors import FrameRefused
from connectors.books import Book
from connectors.declarative.shapes import Items, Leaf, scalar
from connectors.levels import NOTHING, read_cells, read_levels

Read = Callable[[Any, Any, Book], tuple[Levels, Levels]]
"""From the values of the leaves to bids and asks. It raises FrameRefused with the book's symbol."""


def leaves_of(form: Sides) -> tuple[Leaf, Leaf]:
    if form.may_be_absent:
        return Leaf(form.bids, default=NOTHING), Leaf(form.asks, default=NOTHING)
    return Leaf(form.bids), Leaf(form.asks)


def levels_of(declared: BookMessage) -> tuple[tuple[Leaf, Leaf | None], Read]:
    """Where a message's levels lie, and what reads them."""
    if declared.sides is not None:
        return leaves_of(declared.sides), sides_reader(declared.sides)
    if declared.pairs is not None:
        return (Leaf(declared.pairs.at), None), _pairs_reader(declared.pairs)
    assert declared.rows is not None  # the file's relations hold that there is one of the three
    return (Leaf(declared.rows.at), None), _rows_reader(declared.rows)


def sides_reader(form: Sides) -> Read:
    if form.columns == 2:
        return lambda bids, asks, book: book.even_levels.read(bids, asks)
    columns = form.columns
    return lambda bids, asks, book: (
        read_levels(bids, book.listing, columns),
        read_levels(asks, book.listing, columns),
    )


def _pairs_reader(form: Pairs) -> Read:
    items = Items([Leaf(form.bid_price), Leaf(form.bid_quantity), Leaf(form.ask_price), Leaf(form.ask_quantity)])

    def read(raw: Any, _: Any, book: Book) -> tuple[Levels, Levels]:
        rows, listing = _rows_of(items, raw, book), book.listing
        bids = read_cells(((price, quantity) for price, quantity, *_ in rows), listing, skips_free=True)
        asks = read_cells(((price, quantity) for _, _, price, quantity, _ in rows), listing, skips_free=True)
        return bids, asks

    return read


def _rows_reader(form: Rows) -> Read:
    symbol_leaf = Leaf(form.symbol, str) if form.symbol is not None else None
    items = Items([Leaf(form.side), Leaf(form.price), Leaf(form.quantity), symbol_leaf])
    buy, sell = form.buy, form.sell

    def read(raw: Any, _: Any, book: Book) -> tuple[Levels, Levels]:
        symbol = book.listing.symbol
        bids: list[tuple[Any, Any]] = []
        asks: list[tuple[Any, Any]] = []
        for side_raw, price, quantity, of, _ in _rows_of(items, raw, book):
            side = scalar(side_raw)
            if side not in (buy, sell):
                raise FrameRefused(f"levels of {symbol}: {side[:40]!r} is neither {buy} nor {sell}", symbol)
            if of is not None and of != symbol:
                raise FrameRefused(f"levels of {symbol}: one of {of[:40]!r} is among them", symbol)
            (bids if side == buy else asks).append((price, quantity))
        return read_cells(bids, book.listing), read_cells(asks, book.listing)

    return read


def _rows_of(items: Items, raw: Any, book: Book) -> list[tuple[Any, ...]]:
    try:
        return list(items.read(bytes(raw)))
    except FrameRefused as error:
        raise FrameRefused(f"levels of {book.listing.symbol}: {error.reason}", book.listing.symbol) from None
