"""Records as plain documents that JSON can hold, and back: what the journal and its snapshots are written in.

A class's annotations say how: integers marked with a Scale are decimal strings on the scale of the record's own
instrument, which is its field `instrument`, else that of a record in one of its fields (`terms`, `fill`), else that of
the record around it. Money is on ASSET_DECIMALS, whatever the instrument. An instrument is its name, with its scales
beside it when they are not the usual ones. All other integers stay integers. What is `Any` is passed through. A field
that may hold records of several classes names the class as `kind`.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from operator import attrgetter
from typing import Annotated, Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints, overload

from aggregator.domain.effects import OrderEffect
from aggregator.domain.errors import BrokenInvariant, DocumentRefused, NumberRefused
from aggregator.domain.instrument import PRICE_DECIMALS, QUANTITY_DECIMALS, Instrument, Instruments
from aggregator.domain.numbers import MAX_TEXT, POWERS, format_decimal, parse_decimal
from aggregator.domain.order import ASSET_DECIMALS, ParentOrder, Scale
from aggregator.domain.order_events import OrderEvent

T = TypeVar("T")

Document = dict[str, Any]

KINDS: dict[str, type] = {kind.__name__: kind for kind in (*get_args(OrderEvent), *get_args(OrderEffect), ParentOrder)}
"""What a document may be by name."""


class _Around(NamedTuple):
    """What reading a field needs to know of the record that it stands in."""

    instruments: Instruments
    instrument: Instrument | None


DECIMALS_OF: dict[Scale, Callable[[Instrument], int]] = {
    Scale.PRICE: attrgetter("price_decimals"),
    Scale.QUANTITY: attrgetter("quantity_decimals"),
    Scale.NOTIONAL: lambda instrument: instrument.price_decimals + instrument.quantity_decimals,
}

Write = Callable[[Any, Instrument | None], Any]
Read = Callable[[Any, _Around], Any]


class _Codec(NamedTuple):
    """How values of one annotation are written and read. `write` is None when they are plain already."""

    write: Write | None
    read: Read


class _Record(NamedTuple):
    write: Callable[[Any, Instrument | None], Document]
    read: Read


def to_document(value: Any) -> Document:
    """A record as a plain document. Raises BrokenInvariant for a price, quantity or notional below 0, and TypeError for
    a class whose annotations say no way to write it."""
    return _record(type(value)).write(value, None)


@overload
def from_document(kind: type[T], document: Mapping[str, Any], instruments: Instruments) -> T: ...
@overload
def from_document(kind: str, document: Mapping[str, Any], instruments: Instruments) -> Any: ...
def from_document(kind: type[T] | str, document: Mapping[str, Any], instruments: Instruments) -> T | Any:
    """The record of a document, of a class or of one of KINDS. A field that is missing has its default.

    Raises DocumentRefused, naming class and field, for a kind or field that is unknown, for a missing field without a
    default, and for a value that its field cannot hold.
    """
    if isinstance(kind, str):
        known = KINDS.get(kind)
        if known is None:
            raise DocumentRefused(f"{kind!r} is no kind of record; there are {', '.join(KINDS)}")
        return _record(known).read(document, _Around(instruments, None))
    return _record(kind).read(document, _Around(instruments, None))


_COMPILED: dict[type, _Record] = {}


def _record(record: type) -> _Record:
    compiled = _COMPILED.get(record)
    if compiled is None:
        compiled = _COMPILED[record] = _compiled(record)
    return compiled


def _compiled(record: type) -> _Record:
    hints = get_type_hints(record, include_extras=True)
    codecs = {name: _codec(hints[name]) for name in _field_names(record)}
    way = _way_to_instrument(record)
    return _Record(_record_writer(codecs, way), _record_reader(record, codecs, way))


def _field_names(record: type) -> tuple[str, ...]:
    if is_dataclass(record):
        return tuple(field.name for field in fields(record))
    names: tuple[str, ...] | None = getattr(record, "_fields", None)
    if names is None:
        raise TypeError(f"{record.__name__} is neither a dataclass nor a NamedTuple: it has no document")
    return names


def _is_record(annotation: Any) -> bool:
    return isinstance(annotation, type) and (is_dataclass(annotation) or hasattr(annotation, "_fields"))


def _way_to_instrument(record: type) -> str | None:
    """The dotted name under which a record has its instrument, None if it has none of its own."""
    hints = get_type_hints(record)
    if hints.get("instrument") is Instrument:
        return "instrument"
    for name in _field_names(record):
        if _is_record(hints[name]) and get_type_hints(hints[name]).get("instrument") is Instrument:
            return f"{name}.instrument"
    return None


def _record_writer(codecs: Mapping[str, _Codec], way: str | None) -> Write:
    """A function as one would write it by hand, one expression for the whole record: a loop over the fields takes three
    times as long, and every event comes through here on its way to the disk."""
    writers: dict[str, Any] = {
        f"write_{name}": codec.write for name, codec in codecs.items() if codec.write is not None
    }
    items = [
        f"{name!r}: value.{name}" if codec.write is None else f"{name!r}: write_{name}(value.{name}, instrument)"
        for name, codec in codecs.items()
    ]
    source = f"""
def write(value, instrument):
    instrument = {"instrument" if way is None else f"value.{way}"}
    return {{{", ".join(items)}}}
"""
    exec(source, writers)  # made of nothing but the names of a class's own fields
    write: Write = writers["write"]
    return write


def _record_reader(record: type, codecs: Mapping[str, _Codec], way: str | None) -> Read:
    required = _required(record)
    names = {name: f"{record.__name__}.{name}" for name in codecs}
    steps = way.split(".") if way is not None else []

    def read(document: Any, around: _Around) -> Any:
        if not isinstance(document, dict):
            raise DocumentRefused(f"{record.__name__}: {_shown(document)} is not an object")
        if not codecs.keys() >= document.keys():
            unknown = ", ".join(sorted(map(str, document.keys() - codecs.keys())))
            raise DocumentRefused(f"{record.__name__} has no field {unknown}; it has {', '.join(codecs)}")
        if not document.keys() >= required:
            missing = ", ".join(name for name in codecs if name in required - document.keys())
            raise DocumentRefused(f"{record.__name__}.{missing}: missing")
        if steps:
            around = _Around(around.instruments, _own_instrument(record, document, steps, around))
        return record(**{name: _named(names[name], codecs[name].read, held, around) for name, held in document.items()})

    return read


def _required(record: type) -> frozenset[str]:
    if is_dataclass(record):
        return frozenset(
            field.name for field in fields(record) if field.default is MISSING and field.default_factory is MISSING
        )
    defaults: Mapping[str, Any] = getattr(record, "_field_defaults", {})
    return frozenset(_field_names(record)) - defaults.keys()


def _own_instrument(record: type, document: Any, steps: Sequence[str], around: _Around) -> Instrument | None:
    """None when it is not there: the field that it should be in says so better."""
    for step in steps:
        if not isinstance(document, dict) or step not in document:
            return None
        document = document[step]
    instrument: Instrument = _named(f"{record.__name__}.{'.'.join(steps)}", _read_instrument, document, around)
    return instrument


def _named(name: str, read: Read, value: Any, around: _Around) -> Any:
    """What is read; a refusal says where."""
    try:
        return read(value, around)
    except (DocumentRefused, NumberRefused) as error:
        raise DocumentRefused(f"{name}: {error}") from None


def _codec(annotation: Any) -> _Codec:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is Any:
        return _Codec(None, lambda value, around: value)
    if annotation in (int, str, bool):
        return _Codec(None, _plain_reader(annotation))
    if annotation is Instrument:
        return _Codec(lambda value, instrument: _written_instrument(value), _read_instrument)
    if origin is Annotated:
        return _scaled(arguments[1])
    if origin in (Union, types.UnionType):
        return _union(arguments)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(arguments)
    if origin in (list, tuple):
        return _sequence(origin, arguments)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return _enumeration(annotation)
    if _is_record(annotation):
        return _Codec(*_record(annotation))
    raise TypeError(f"{annotation!r} is an annotation that says no way to write it")


def _plain_reader(kind: type) -> Read:
    def read(value: Any, around: _Around) -> Any:
        if type(value) is not kind:  # a bool is no int here
            raise DocumentRefused(f"{_shown(value)} is not of type {kind.__name__}")
        return value

    return read


def _scaled(scale: Scale) -> _Codec:
    if scale is Scale.ASSET:
        return _Codec(lambda value, instrument: format_decimal(value, ASSET_DECIMALS), _read_money)
    decimals_of = DECIMALS_OF[scale]

    def write(value: int, instrument: Instrument | None) -> str:
        if instrument is None:
            raise TypeError(f"a {scale.name.lower()} in a record without an instrument")
        if value < 0:
            raise BrokenInvariant(f"a {scale.name.lower()} of {format_decimal(value, decimals_of(instrument))}")
        return format_decimal(value, decimals_of(instrument))

    def read(value: Any, around: _Around) -> int:
        if around.instrument is None:
            raise DocumentRefused(f"a {scale.name.lower()} where there is no instrument")
        return _exact(_text(value), decimals_of(around.instrument))

    return _Codec(write, read)


def _read_money(value: Any, around: _Around) -> int:
    text = _text(value)
    return -_exact(text[1:], ASSET_DECIMALS) if text.startswith("-") else _exact(text, ASSET_DECIMALS)


def _exact(text: str, decimals: int) -> int:
    """What we have written ourselves may be longer than any number that is believed of a venue."""
    if len(text) <= MAX_TEXT:
        return parse_decimal(text, decimals)
    whole, _, fraction = text.partition(".")
    return parse_decimal(whole, 0) * POWERS[decimals] + parse_decimal(f".{fraction or 0}", decimals)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise DocumentRefused(f"{_shown(value)} is not a decimal as text")
    return value


def _written_instrument(instrument: Instrument) -> str | Document:
    if (instrument.price_decimals, instrument.quantity_decimals) == (PRICE_DECIMALS, QUANTITY_DECIMALS):
        return instrument.name
    return {
        "name": instrument.name,
        "price_decimals": instrument.price_decimals,
        "quantity_decimals": instrument.quantity_decimals,
    }


def _read_instrument(value: Any, around: _Around) -> Instrument:
    match value:
        case str():
            return around.instruments.listed(value) if "/" in value else around.instruments.named(value)
        case {"name": str() as name, "price_decimals": int() as price, "quantity_decimals": int() as quantity}:
            base, _, quote = name.partition("/")
            return around.instruments.get(base, quote, price, quantity)
    raise DocumentRefused(f"{_shown(value)} is no instrument")


def _union(members: Sequence[Any]) -> _Codec:
    others = [member for member in members if member is not types.NoneType]
    inner = _codec(others[0]) if len(others) == 1 else _one_of(others)
    if len(others) == len(members):
        return inner
    write = inner.write
    return _Codec(
        None if write is None else lambda value, instrument: None if value is None else write(value, instrument),
        lambda value, around: None if value is None else inner.read(value, around),
    )


def _one_of(members: Sequence[Any]) -> _Codec:
    if not all(_is_record(member) and "kind" not in _field_names(member) for member in members):
        raise TypeError(f"only records without a field `kind` can be told apart, not {members}")
    by_name = {member.__name__: member for member in members}

    def write(value: Any, instrument: Instrument | None) -> Document:
        return {"kind": type(value).__name__, **_record(type(value)).write(value, instrument)}

    def read(value: Any, around: _Around) -> Any:
        kind = value.get("kind") if isinstance(value, dict) else None
        if kind not in by_name:
            raise DocumentRefused(f"kind {_shown(kind)} is none of {', '.join(by_name)}")
        return _record(by_name[kind]).read({name: held for name, held in value.items() if name != "kind"}, around)

    return _Codec(write, read)


def _mapping(arguments: Sequence[Any]) -> _Codec:
    if arguments[0] is not str:
        raise TypeError(f"a document's keys are texts, not {arguments[0]!r}")
    item = _codec(arguments[1])
    write_item = item.write

    def write(value: Mapping[str, Any], instrument: Instrument | None) -> Document:
        if write_item is None:
            return dict(value)
        return {key: write_item(held, instrument) for key, held in value.items()}

    def read(value: Any, around: _Around) -> Document:
        if not isinstance(value, dict):
            raise DocumentRefused(f"{_shown(value)} is not an object")
        return {key: _named(key, item.read, held, around) for key, held in value.items()}

    return _Codec(write, read)


def _sequence(origin: type, arguments: Sequence[Any]) -> _Codec:
    is_fixed = origin is tuple and arguments[-1] is not Ellipsis
    if is_fixed and len(set(arguments)) > 1:
        raise TypeError(f"only tuples of one kind of item have a document, not {arguments}")
    item, length = _codec(arguments[0]), len(arguments) if is_fixed else None
    write_item = item.write

    def write(value: Sequence[Any], instrument: Instrument | None) -> list[Any]:
        return list(value) if write_item is None else [write_item(held, instrument) for held in value]

    def read(value: Any, around: _Around) -> Any:
        if not isinstance(value, list):
            raise DocumentRefused(f"{_shown(value)} is not a list")
        if length is not None and len(value) != length:
            raise DocumentRefused(f"{len(value)} items; there are to be {length}")
        return origin(_named(str(index), item.read, held, around) for index, held in enumerate(value))

    return _Codec(write, read)


def _enumeration(members: type[Enum]) -> _Codec:
    by_value = {member.value: member for member in members}

    def read(value: Any, around: _Around) -> Enum:
        member = by_value.get(value) if isinstance(value, str) else None
        if member is None:
            raise DocumentRefused(f"{_shown(value)} is none of {', '.join(map(str, by_value))}")
        return member

    # `value` is a property in Python, five times as dear as the attribute behind it.
    return _Codec(lambda member, instrument: member._value_, read)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
