"""What the journal holds of one event: the event itself, what was seen while it was applied, and a fingerprint of what
came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, get_args

import msgspec

from aggregator.domain.documents import from_document, to_document
from aggregator.domain.effects import Effect, OrderEffect
from aggregator.domain.errors import DocumentRefused, NumberRefused
from aggregator.domain.instrument import Instruments
from aggregator.domain.order_events import OrderEvent
from aggregator.routing.record import Seen

ORDER_EFFECTS: frozenset[type] = frozenset(get_args(OrderEffect))

_encoder = msgspec.json.Encoder()


class Row(NamedTuple):
    """An entry as it lies in the file. `body` is JSON, `effects` 32 bytes."""

    seq: int
    at_ns: int
    kind: str
    body: str
    effects: bytes


class Entry(NamedTuple):
    """An event of the past, as documents. `effects` is what `effects_sha256` gave for the effects that it had."""

    seq: int
    at_ns: int
    kind: str
    event: dict[str, Any]
    seen: list[dict[str, Any]]
    effects: bytes

    def restored(self, instruments: Instruments) -> tuple[OrderEvent, list[Seen]]:
        """The event, and what was seen then. Raises DocumentRefused for documents of another make."""
        try:
            # What was seen states the instrument's scales, so it comes first.
            seen = [Seen.from_document(document, instruments) for document in self.seen]
        except (KeyError, TypeError, ValueError, NumberRefused) as error:
            raise DocumentRefused(f"what was seen cannot be read: {error!r}") from error
        event: OrderEvent = from_document(self.kind, self.event, instruments)
        return event, seen


def row_of(seq: int, event: OrderEvent, seen: Sequence[Seen], effects: Iterable[Effect]) -> Row:
    looks = [look.to_document() for look in seen] if seen else []
    body = _encoder.encode({"event": to_document(event), "seen": looks}).decode()
    return Row(seq, event.received_ns, type(event).__name__, body, effects_sha256(effects))


def entry_of(row: Row) -> Entry:
    """Raises DocumentRefused for a body that is none."""
    try:
        body = msgspec.json.decode(row.body)
        return Entry(row.seq, row.at_ns, row.kind, body["event"], body["seen"], row.effects)
    except (msgspec.MsgspecError, KeyError, TypeError) as error:
        raise DocumentRefused(f"entry {row.seq}, {row.kind}: its body cannot be read: {error!r}") from error


def effects_sha256(effects: Iterable[Effect]) -> bytes:
    """SHA-256 over the order effects, in their order, as a JSON list of `[kind, document]`."""
    told = [(type(effect).__name__, to_document(effect)) for effect in effects if type(effect) in ORDER_EFFECTS]
    return hashlib.sha256(_encoder.encode(told)).digest() if told else NO_EFFECTS


NO_EFFECTS = hashlib.sha256(b"[]").digest()
