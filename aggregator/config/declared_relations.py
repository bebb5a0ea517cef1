"""What must hold between the keys of `declared`, and between it and the rest of a venue's file.

They look at the document as it was written, so that they are told beside the faults of single values; whatever is of
the wrong kind is left to those.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from aggregator.config.declared import Declared
from aggregator.config.declared_paths import path_relations
from aggregator.config.document import Document, Fault, KeyPath, Value
from aggregator.config.schema import missing
from aggregator.config.templates import blanks, fill

DECLARED = ("declared",)
ABOUT_SYMBOLS = ("book", "trades", "best")
OTHERS = ("acknowledged", "refused", "reply", "ignored")
BEGINNINGS = ("stream", "rest", "nowhere")
FORMS = ("sides", "pairs", "rows")

IDS = {
    ("range", "whole"): ("last",),
    ("range", "changes"): ("first", "last"),
    ("previous", "whole"): ("last",),
    ("previous", "changes"): ("previous", "last"),
    ("pictures", "whole"): (),
    ("none", "whole"): (),
    ("none", "changes"): (),
}
"""Which ids a message about a book states, by the numbering and by what it holds."""


def declared_relations(document: Document) -> Iterator[Fault]:
    declared = document.at(DECLARED)
    if document.at(("connector",)) != "declarative":
        if isinstance(declared, dict):
            text = "only `connector: declarative` reads this; write that connector, or remove the key"
            yield document.key_fault(DECLARED, text)
        return
    if DECLARED not in document.values:
        yield missing(document, DECLARED, "symbols", "subscribe", "numbering", "snapshot", "messages")
        return
    yield from _without_what_is_not_declared(document)
    if isinstance(declared, dict):
        yield from _requests(document, declared)
        yield from _beginning(document)
        for index in range(_length(declared.get("messages"))):
            yield from _incoming(document, (*DECLARED, "messages", index))
        yield from path_relations(document)
        yield from _market_rules(document, declared)
        yield from _spelt(document)


def _without_what_is_not_declared(document: Document) -> Iterator[Fault]:
    if document.at(("route",)) == "true":
        yield document.fault(("route",), "a declared venue takes no orders; write false, or remove the key")
    if ("book_channel",) in document.values:
        text = "a declared venue has its channels in declared.subscribe; remove this"
        yield document.key_fault(("book_channel",), text)


def _requests(document: Document, declared: Mapping[str, Value]) -> Iterator[Fault]:
    for key in ("subscribe", "unsubscribe"):
        for index in range(_length(declared.get(key))):
            yield from _message(document, (*DECLARED, key, index))
    if declared.get("replaces") == "true" and _length(declared.get("unsubscribe")):
        text = "a subscription that replaces the one before needs none; remove this, or `replaces`"
        yield document.key_fault((*DECLARED, "unsubscribe"), text)


def _message(document: Document, path: KeyPath) -> Iterator[Fault]:
    message, each = (document.at((*path, key)) for key in ("message", "each"))
    if not isinstance(message, str):
        return
    if "each" in blanks(message) and not isinstance(each, str):
        if (*path, "each") not in document.values:
            yield missing(document, (*path, "each"), example='"<symbol>"')
        return
    if isinstance(each, str) and "each" not in blanks(message):
        yield document.fault((*path, "message"), "has no <each> for `each` to stand in; write it, or remove `each`")
        return
    if "each" not in blanks(message) and (*path, "at_most") in document.values:
        text = "a message without <each> is about one symbol; remove this"
        yield document.key_fault((*path, "at_most"), text)
    if wrong := _no_json(message, each if isinstance(each, str) else ""):
        yield document.fault((*path, "message"), f"no JSON once it is filled in: {wrong}")


def _no_json(message: str, each: str) -> str:
    """What is wrong with a message once made-up symbols stand in it; empty when nothing is, or a blank is."""
    values = {"symbol": "X", "symbol:lower": "x", "symbol:upper": "X", "id": "1", "time_s": "1", "time_ms": "1"}
    try:
        filled = fill(message, values | {"each": ",".join([fill(each, values)] * 2)})
    except KeyError:
        return ""
    try:
        json.loads(filled)
    except ValueError as error:
        return f"{error} of {filled[:200]}"
    return ""


def _beginning(document: Document) -> Iterator[Fault]:
    path = (*DECLARED, "snapshot")
    snapshot, numbering = document.at(path), document.at((*DECLARED, "numbering"))
    if not isinstance(snapshot, dict) or snapshot.keys() - set(BEGINNINGS):
        return
    given = [key for key in BEGINNINGS if snapshot.get(key) not in (None, "false")]
    if len(given) != 1:
        if not any((*path, key) in document.faulted for key in snapshot):
            found = f"{' and '.join(given)} are given" if given else "none is given"
            yield document.key_fault(path, f"{found}; write one of `stream: true`, `rest` or `nowhere`")
        return
    if given == ["rest"]:
        if numbering in ("pictures", "none"):
            text = (
                f"with `numbering: {numbering}` nothing joins a fetched book to the stream; write `stream` or `nowhere`"
            )
            yield document.key_fault((*path, "rest"), text)
        yield from _needs_rest(document, (*path, "rest"))
    whole = [index for index in _books(document) if document.at(_book(index, "holds")) == "whole"]
    if given == ["stream"] and not whole and numbering != "pictures" and _all_sound(document):
        yield document.fault((*path, "stream"), "no message of `messages` has `holds: whole`; add it, or say `nowhere`")
    if given == ["nowhere"] and whole:
        text = "the whole book comes with a message, so it begins in the stream; write `stream: true`"
        yield document.key_fault((*path, "nowhere"), text)


def _needs_rest(document: Document, path: KeyPath) -> Iterator[Fault]:
    endpoints = document.at(("endpoints",))
    if isinstance(endpoints, dict) and "rest" not in endpoints:
        yield document.key_fault(path, "is fetched, but endpoints.rest is missing; add it")


def _books(document: Document) -> list[int]:
    messages = document.at((*DECLARED, "messages"))
    return [index for index in range(_length(messages)) if isinstance(document.at(_book(index)), dict)]


def _book(index: int, *keys: str) -> KeyPath:
    return (*DECLARED, "messages", index, "book", *keys)


def _all_sound(document: Document) -> bool:
    """Whether what each message holds is told; one whose word is wrong may have been meant to be the whole book."""
    return bool(document.at((*DECLARED, "messages"))) and all(
        document.at(_book(index, "holds")) in ("whole", "changes") for index in _books(document)
    )


def _incoming(document: Document, path: KeyPath) -> Iterator[Fault]:
    message = document.at(path)
    if not isinstance(message, dict):
        return
    if not message.get("when") and not message.get("has") and not {"when", "has"} & message.keys():
        text = "nothing tells this kind of message from others; give `when`, `has`, or both"
        yield document.key_fault(path, text)
    about = [key for key in ABOUT_SYMBOLS if key in message]
    others = [key for key in OTHERS if message.get(key, "false") != "false"]
    if not about and not others:
        text = f"says nothing; give one of {', '.join((*ABOUT_SYMBOLS, *OTHERS))}"
        yield document.key_fault(path, text)
    elif len(others) + bool(about) > 1:
        text = f"{' and '.join(about + others)} exclude each other; make two kinds of messages of it"
        yield document.key_fault((*path, (about + others)[-1]), text)
    told_by_rows = isinstance(document.at((*path, "book", "rows", "symbol")), str)
    if about and "symbol" not in message and not told_by_rows:
        yield missing(document, (*path, "symbol"), example="data.symbol")
    if "symbol" in message and told_by_rows:
        text = "is read as the symbol of the message already; keep one of the two"
        yield document.fault((*path, "book", "rows", "symbol"), text)
    if not about and "symbol" in message:
        yield document.key_fault((*path, "symbol"), "is read for book, trades and best only; remove it")
    if isinstance(message.get("book"), dict):
        yield from _book_message(document, (*path, "book"))


def _book_message(document: Document, path: KeyPath) -> Iterator[Fault]:
    book = document.at(path)
    assert isinstance(book, dict)
    forms = [form for form in FORMS if form in book]
    if len(forms) != 1:
        found = f"{' and '.join(forms)} exclude each other" if forms else "its levels are missing"
        yield document.key_fault(path, f"{found}; give one of {', '.join(FORMS)}")
    numbering, holds = document.at((*DECLARED, "numbering")), book.get("holds")
    if numbering == "pictures" and holds == "changes":
        text = "with `numbering: pictures` every message holds the whole book; write whole, or another numbering"
        yield document.fault((*path, "holds"), text)
        return
    if not isinstance(numbering, str) or not isinstance(holds, str) or (numbering, holds) not in IDS:
        return
    wanted = IDS[numbering, holds]
    for key in wanted:
        if key not in book:
            yield missing(document, (*path, key), example="data.id")
    allowed = (*wanted, "last") if numbering == "pictures" else wanted
    for key in ("first", "previous", "last"):
        if key in book and key not in allowed:
            text = f"`numbering: {numbering}` does not read it where a message holds {holds}; remove it"
            yield document.key_fault((*path, key), text)
    if numbering == "pictures" and not {"last", "time"} & book.keys():
        yield document.key_fault(path, "nothing says which of two pictures is newer; give `last` or `time`")
    if holds == "whole" and "covers" in book:
        yield document.key_fault((*path, "covers"), "a whole book is as deep as it is; remove it")


def _market_rules(document: Document, declared: Mapping[str, Value]) -> Iterator[Fault]:
    path = (*DECLARED, "markets")
    markets = declared.get("markets")
    is_misspelt = declared.keys() - Declared.model_fields.keys()
    if ("market_list",) in document.values and path not in document.values and not is_misspelt:
        text = "the venue's market list is not declared; add declared.markets, or remove this and list by hand"
        yield document.key_fault(("market_list",), text)
    if not isinstance(markets, dict):
        return
    yield from _needs_rest(document, path)
    for one, other in (("tick", "tick_decimals"), ("lot", "lot_decimals")):
        if one in markets and other in markets:
            yield document.key_fault((*path, other), f"{one} is given too; keep one of the two")
    for one, other in (("base", "quote"), ("quote", "base")):
        if one in markets and other not in markets:
            yield missing(document, (*path, other), example=f"{other}_currency")
    spelling = document.at((*DECLARED, "symbols", "spelling"))
    if "base" not in markets and "quote" not in markets and isinstance(spelling, str) and "><" in spelling:
        text = f"base and quote cannot be told apart in a symbol spelt {spelling}; give `base` and `quote`"
        yield document.key_fault(path, text)


def _spelt(document: Document) -> Iterator[Fault]:
    """A symbol that is spelt the wrong way round is another instrument."""
    spelling = document.at((*DECLARED, "symbols", "spelling"))
    if not isinstance(spelling, str) or sorted(blanks(spelling)) != ["base", "quote"]:
        return
    for index in range(_length(document.at(("listings",)))):
        symbol, instrument = (document.at(("listings", index, key)) for key in ("symbol", "instrument"))
        if not isinstance(symbol, str) or not isinstance(instrument, str):
            continue
        base, _, quote = instrument.partition("/")
        if symbol.upper() == fill(spelling, {"base": quote, "quote": base}).upper() and base != quote:
            text = f"spelt {spelling}, {symbol} is {quote}/{base}, not {instrument}; swap the two"
            yield document.fault(("listings", index, "instrument"), text)


def _length(value: Value) -> int:
    return len(value) if isinstance(value, tuple) else 0
