"""YAML to plain values, with the place of each.

Every scalar stays the text that was written. `0.01`, `1e-8`, `no`, `0x10`, `1_000` and `1:30` mean what the field
that reads them says, not what YAML 1.1 would guess, and no number passes through a binary float. Only a plain
nothing, `~` or `null` is no text but the lack of a value, which is a fault.

What would let a file mean something else than it shows is refused: keys given twice, anchors and aliases, tags,
a second document.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias

import yaml
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    StreamEndEvent,
)

from aggregator.domain.errors import ConfigurationRefused

MAX_BYTES = 4_000_000
"""Longer files are refused unread: thirty thousand listings fit."""

MAX_DEPTH = 16
"""Mappings and lists inside each other. What we read has four."""

MAX_SHOWN = 60
"""Characters of a key or a value that a fault repeats."""

# libyaml is several times faster; the events and their marks are the same.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# What YAML allows, less the line breaks that no editor counts and a byte order mark inside the text.
_NOT_ALLOWED = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")

_LINE_END = re.compile("\r\n|\r|\n")

KeyPath: TypeAlias = tuple[str | int, ...]
Value: TypeAlias = "str | tuple[Value, ...] | dict[str, Value] | None"


class Position(NamedTuple):
    """Both count from 1; columns count characters."""

    line: int
    column: int


class Fault(NamedTuple):
    """`text` says what is wrong and what would be right, of the value at `path`; `()` is the whole file."""

    position: Position
    path: KeyPath
    text: str


def shown(text: str) -> str:
    """A value as a fault repeats it: quoted, on one line, not too long."""
    return repr(text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "...")


def kind(value: object) -> str:
    """What a value is, for a fault that must not repeat it."""
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, tuple) else "a single value"


def dotted(path: KeyPath) -> str:
    """`listings.3.tick`; lists count from 0."""
    return ".".join(_shown_step(step) for step in path)


def _shown_step(step: str | int) -> str:
    if isinstance(step, int) or (step and step.isprintable() and len(step) <= MAX_SHOWN):
        return str(step)
    return shown(step)


@dataclass(frozen=True, slots=True)
class Document:
    """One file. Documents are equal when their files are: where in it a value stands is no difference."""

    file: str
    content: Value = field(default=None, compare=False)
    values: dict[KeyPath, Position] = field(default_factory=dict, compare=False)
    """Where each value begins."""
    keys: dict[KeyPath, Position] = field(default_factory=dict, compare=False)
    """Where its key begins, for the values that have one."""
    faults: list[Fault] = field(default_factory=list, compare=False)
    """What is refused although the rest can be read."""
    faulted: set[KeyPath] = field(default_factory=set, compare=False)
    """The paths whose value those faults replace: nothing else is to be said about it."""

    def at(self, path: KeyPath) -> Value:
        """The value at a path, None where there is none."""
        value = self.content
        for step in path:
            if isinstance(value, dict) and isinstance(step, str):
                value = value.get(step)
            elif isinstance(value, tuple) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                return None
        return value

    def fault(self, path: KeyPath, text: str) -> Fault:
        """A fault at a value, or at the mapping or list that lacks it."""
        if path in self.values:
            return Fault(self.values[path], path, text)
        return self.key_fault(path, text)

    def key_fault(self, path: KeyPath, text: str) -> Fault:
        """A fault at a key, or at that of the mapping or list that lacks it."""
        holder = path
        while holder and holder not in self.values:
            holder = holder[:-1]
        return Fault(self.keys.get(holder) or self.values.get(holder) or Position(1, 1), path, text)

    def line(self, fault: Fault) -> str:
        named = f"{dotted(fault.path)}: " if fault.path else ""
        return f"{self.file}:{fault.position.line}:{fault.position.column}: {named}{fault.text}"

    def lines(self, faults: list[Fault]) -> list[str]:
        """In the order in which a reader of the file meets them."""
        return [self.line(fault) for fault in sorted(faults, key=lambda fault: fault.position)]


class _Unreadable(Exception):
    """The rest of the file cannot be told apart."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.text)
        self.fault = fault


def read_document(raw: bytes, file: str) -> Document:
    """Raises ConfigurationRefused when the text cannot be read to its end as YAML; lesser faults are kept in the
    document, so that its readers can tell theirs beside them."""
    text = _decoded(raw, file)
    document = Document(file)
    try:
        content = _Reader(document, yaml.parse(text, Loader=_LOADER)).stream()
    except yaml.YAMLError as error:
        raise ConfigurationRefused(document.lines([*document.faults, _syntax_fault(error, text)])) from error
    except _Unreadable as unreadable:
        raise ConfigurationRefused(document.lines([*document.faults, unreadable.fault])) from unreadable
    return replace(document, content=content)


def _decoded(raw: bytes, file: str) -> str:
    if len(raw) > MAX_BYTES:
        raise ConfigurationRefused([f"{file}:1:1: {len(raw)} bytes; at most {MAX_BYTES} are read"])
    raw = raw.removeprefix(BOM_UTF8)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode()
        raise ConfigurationRefused(
            [f"{file}:{_place(before)}: byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8"]
        ) from error
    if unprintable := _NOT_ALLOWED.search(text):
        code = f"U+{ord(unprintable.group()):04X}"
        place = _place(text[: unprintable.start()])
        raise ConfigurationRefused([f"{file}:{place}: the character {code} must not stand here; remove it"])
    return text


def _place(before: str) -> str:
    lines = _LINE_END.split(before)
    return f"{len(lines)}:{len(lines[-1]) + 1}"


def _syntax_fault(error: yaml.YAMLError, text: str) -> Fault:
    problem = getattr(error, "problem", None) or "it cannot be read"
    context, begun = getattr(error, "context", None), getattr(error, "context_mark", None)
    if context and begun:
        problem = f"{problem}, {context} that begins at {begun.line + 1}:{begun.column + 1}"
    mark = getattr(error, "problem_mark", None) or begun
    if mark is None:
        return Fault(Position(1, 1), (), f"not YAML: {problem}")
    # What the end of the file lacks is lacking on its last line, not on the one that would follow.
    lines = _LINE_END.split(text.rstrip("\r\n"))
    position = min(Position(mark.line + 1, mark.column + 1), Position(len(lines), len(lines[-1]) + 1))
    return Fault(position, (), f"not YAML: {problem}")


@dataclass(slots=True)
class _Reader:
    """Builds the values from the events. Events, since composed nodes no longer tell an alias from a copy."""

    document: Document
    events: Iterator[Event]

    def stream(self) -> Value:
        next(self.events)
        if isinstance(next(self.events), StreamEndEvent):
            return self._empty()
        content = self._value(self._node(), ())
        next(self.events)
        after = next(self.events)
        if isinstance(after, DocumentStartEvent):
            text = "a second document begins here; write one per file"
            self.document.faults.append(Fault(_position(after), (), text))
        return self._empty() if content is None else content

    def _empty(self) -> Value:
        if () not in self.document.faulted:
            self.document.faults.append(
                Fault(Position(1, 1), (), "the file is empty; write at least its required keys")
            )
            self.document.faulted.add(())
        return None

    def _node(self) -> NodeEvent:
        event = next(self.events)
        assert isinstance(event, NodeEvent)
        return event

    def _value(self, event: NodeEvent, path: KeyPath) -> Value:
        self.document.values[path] = _position(event)
        if isinstance(event, AliasEvent):
            self.document.faults.append(self.document.fault(path, "aliases are not read; write the value out"))
            self.document.faulted.add(path)
            return None
        if event.anchor:
            self.document.faults.append(self.document.fault(path, "anchors are not read; remove the &name"))
        if getattr(event, "tag", None):
            self.document.faults.append(self.document.fault(path, "tags are not read; remove the !tag"))
        if isinstance(event, ScalarEvent):
            return self._scalar(event, path)
        # Not skipped but left: libyaml takes quadratic time for what is nested without end.
        if len(path) >= MAX_DEPTH:
            raise _Unreadable(self.document.fault(path, f"nested deeper than {MAX_DEPTH} levels; no key is"))
        if isinstance(event, MappingStartEvent):
            return self._mapping(path)
        return self._sequence(path)

    def _scalar(self, event: ScalarEvent, path: KeyPath) -> Value:
        if not _is_nothing(event):
            return str(event.value)
        if path:
            self.document.faults.append(self.document.key_fault(path, "has no value; give one or remove the key"))
            self.document.faulted.add(path)
        return None

    def _sequence(self, path: KeyPath) -> Value:
        values: list[Value] = []
        while not isinstance(event := next(self.events), CollectionEndEvent):
            assert isinstance(event, NodeEvent)
            values.append(self._value(event, (*path, len(values))))
        return tuple(values)

    def _mapping(self, path: KeyPath) -> Value:
        values: dict[str, Value] = {}
        while not isinstance(event := next(self.events), CollectionEndEvent):
            assert isinstance(event, NodeEvent)
            key = self._key(event, path, values)
            if key is None:
                self._skip(self._node())
            else:
                self.document.keys[(*path, key)] = _position(event)
                values[key] = self._value(self._node(), (*path, key))
        return values

    def _key(self, event: NodeEvent, path: KeyPath, known: dict[str, Value]) -> str | None:
        """The key, or None when it is none: its value is then skipped."""
        position = _position(event)
        if not isinstance(event, ScalarEvent) or event.anchor or event.tag or _is_nothing(event):
            self._skip(event)
            self.document.faults.append(Fault(position, path, "a key must be a plain word, followed by a colon"))
            return None
        key = str(event.value)
        if key in known:
            first = self.document.keys[(*path, key)]
            text = f"given a second time, the first is at {first.line}:{first.column}; keep one"
            self.document.faults.append(Fault(position, (*path, key), text))
            return None
        return key

    def _skip(self, event: NodeEvent) -> None:
        depth = 1 if isinstance(event, CollectionStartEvent) else 0
        while depth:
            inner = next(self.events)
            if isinstance(inner, CollectionStartEvent):
                depth += 1
            elif isinstance(inner, CollectionEndEvent):
                depth -= 1
            if depth > MAX_DEPTH:
                raise _Unreadable(Fault(_position(inner), (), f"nested deeper than {MAX_DEPTH} levels; no key is"))


def _is_nothing(event: ScalarEvent) -> bool:
    return not event.style and event.value in {"", "~", "null"}


def _position(event: Event) -> Position:
    mark = event.start_mark
    return Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
