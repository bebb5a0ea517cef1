"""Which paths of a declaration can be read together.

The values of one message are read in one pass, so each is read once, nothing is both a value and what holds others, and
nothing both a list and a mapping.
"""

from __future__ import annotations

from collections.abc import Iterator

from aggregator.config.document import Document, Fault, KeyPath, dotted
from aggregator.config.templates import BLANK, differ

DECLARED = ("declared",)
MESSAGES = (*DECLARED, "messages")
MARKETS = (*DECLARED, "markets")

OF_A_MESSAGE = (
    *("symbol", "book.first", "book.previous", "book.last", "book.time.at"),
    *("book.sides.bids", "book.sides.asks", "book.pairs.at", "book.rows.at", "trades.rows"),
    *("best.last", "best.time.at", "best.bid_price", "best.bid_quantity", "best.ask_price", "best.ask_quantity"),
)
OF_A_TRADE = ("id", "price", "quantity", "time.at", "taker.at")
OF_AN_ITEM = {
    "pairs": ("bid_price", "bid_quantity", "ask_price", "ask_quantity"),
    "rows": ("side", "price", "quantity", "symbol"),
}
OF_A_FETCHED_BOOK = ("last", "time.at", "sides.bids", "sides.asks")
OF_A_MARKET = ("symbol", "base", "quote", "tick_decimals", "lot_decimals")
RULES = ("tick", "lot", "minimum_quantity", "minimum_notional")
"""Numbers of a market, of which several may be one: a least quantity is often the step."""

Place = tuple[str, KeyPath]
"""A path into a message, and the key that states it."""


def path_relations(document: Document) -> Iterator[Fault]:
    messages = document.at(MESSAGES)
    count = len(messages) if isinstance(messages, tuple) else 0
    for index in range(count):
        yield from _of_a_message(document, (*MESSAGES, index))
    yield from _of_conditions(document, count)
    snapshot = document.at((*DECLARED, "snapshot"))
    for key in snapshot if isinstance(snapshot, dict) else ():
        yield from _apart(document, _stated(document, (*DECLARED, "snapshot", key), OF_A_FETCHED_BOOK))
    yield from _apart(document, _of_markets(document))


def _of_a_message(document: Document, path: KeyPath) -> Iterator[Fault]:
    places = _stated(document, path, OF_A_MESSAGE)
    trade = _stated(document, (*path, "trades"), OF_A_TRADE)
    if (*path, "trades", "rows") in document.values:
        yield from _apart(document, trade)
    else:
        places += trade
    yield from _apart(document, places)
    for form, keys in OF_AN_ITEM.items():
        yield from _apart(document, _stated(document, (*path, "book", form), keys))


def _of_markets(document: Document) -> list[Place]:
    tradable = document.at((*MARKETS, "tradable"))
    conditions = [(path, (*MARKETS, "tradable", path)) for path in tradable] if isinstance(tradable, dict) else []
    numbers = dict(reversed([*_stated(document, MARKETS, RULES), *conditions]))
    return [*_stated(document, MARKETS, OF_A_MARKET), *reversed(numbers.items())]


def _stated(document: Document, path: KeyPath, keys: tuple[str, ...]) -> list[Place]:
    """The paths that a mapping states under these keys."""
    places = [(*path, *key.split(".")) for key in keys]
    return [(text, place) for place in places if isinstance(text := document.at(place), str) and text != BLANK]


def _apart(document: Document, places: list[Place]) -> Iterator[Fault]:
    """What cannot be read beside others is told once, whatever number of them there is."""
    read: dict[tuple[str, ...], KeyPath] = {}
    for text, place in places:
        steps = tuple(text.split("."))
        for other, earlier in read.items():
            if clash := _clash(steps, other, earlier):
                yield document.fault(place, f"{clash}; correct one of the two")
                del read[other]
                break
        read[steps] = place


def _clash(steps: tuple[str, ...], other: tuple[str, ...], earlier: KeyPath) -> str:
    """Why two paths cannot both be read, the other at `earlier` already; empty when they can."""
    text, shared = ".".join(steps), _shared(steps, other)
    read = f"{'.'.join(other)!r}, read as {dotted(earlier)}"
    if steps == other:
        return f"{text!r} is read as {dotted(earlier)} already, and a value has one meaning"
    if shared == min(len(steps), len(other)):
        return f"{text!r} and {read}, cannot both be values, as one holds the other"
    return f"{text!r} and {read}, take one thing for a list and a mapping" if differ(steps, other) else ""


def _of_conditions(document: Document, count: int) -> Iterator[Fault]:
    """What kinds of messages are told by is looked up at once for all of them. Here one may hold another."""
    known: dict[tuple[str, ...], KeyPath] = {}
    for text, place in _conditions(document, count):
        steps = tuple(text.split("."))
        for other, earlier in known.items():
            if differ(steps, other):
                found = f"{text!r} and {'.'.join(other)!r}, asked for at {dotted(earlier)}"
                advice = "take one thing for a list and a mapping; correct one of the two"
                yield document.key_fault(place, f"{found}, {advice}")
                break
        known[steps] = place


def _conditions(document: Document, count: int) -> Iterator[Place]:
    for index in range(count):
        path = (*MESSAGES, index)
        when, has = document.at((*path, "when")), document.at((*path, "has"))
        if isinstance(when, dict):
            yield from ((name, (*path, "when", name)) for name in when)
        if isinstance(has, tuple):
            yield from ((name, (*path, "has", n)) for n, name in enumerate(has) if isinstance(name, str))


def _shared(first: tuple[str, ...], second: tuple[str, ...]) -> int:
    """How many steps two paths have in common."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((n for n, (one, other) in pairs if one != other), min(len(first), len(second)))
