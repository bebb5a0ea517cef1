"""Fingerprints: the same state always gives the same one, on every machine and in every version."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from aggregator.books.venue_book import VenueBook


def book_sha256(book: VenueBook) -> str:
    """SHA-256 over a book's levels, each as a line `b|price|quantity` or `a|price|quantity`.

    Best bid first, then best ask first; plain decimals without trailing zeros.
    """
    instrument = book.listing.instrument
    digest = hashlib.sha256()
    for letter, ladder in (("b", book.bids), ("a", book.asks)):
        for price, quantity in zip(*ladder.top(), strict=True):
            digest.update(f"{letter}|{instrument.show_price(price)}|{instrument.show_quantity(quantity)}\n".encode())
    return digest.hexdigest()


def orders_sha256(document: Mapping[str, Any]) -> str:
    """SHA-256 over a state document as canonical JSON: keys sorted, nothing between the tokens, texts as UTF-8."""
    return hashlib.sha256(msgspec.json.encode(document, order="sorted")).hexdigest()
