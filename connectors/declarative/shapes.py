"""From paths to decoders: what lies where in a message is read in one pass, and nothing else of it is.

A path is keys and positions with points between. The paths of one shape make a tree of message types, from which a
decoder is built once; a message then costs about what one of a hand-written type does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from connectors.decoding import decode

ABSENT = Raw(b"")
"""What stands for a value that a message does not have."""


class Leaf(NamedTuple):
    """A value to read. With a default it may be absent."""

    path: str
    type: Any = Raw
    default: Any = msgspec.NODEFAULT


class Shape:
    """Reads the values of its leaves, in their order; None for a leaf that is None."""

    def __init__(self, leaves: Sequence[Leaf | None]) -> None:
        tree = _Tree([leaf for leaf in leaves if leaf is not None])
        names = ["nothing" if leaf is None else tree.attribute(leaf.path) for leaf in leaves]
        self.type = tree.type
        self.values = attrgetter(*names, "nothing")
        """Of an item of `type`, which some decoder made: the values, and a None after them."""
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(self.type, strict=False)

    def read(self, message: str | bytes) -> tuple[Any, ...]:
        """Raises FrameRefused for a message that is not of this shape."""
        values: tuple[Any, ...] = self.values(decode(self._decoder, message))
        return values


class Items:
    """Reads a list whose items are all of one shape."""

    def __init__(self, leaves: Sequence[Leaf | None]) -> None:
        shape = Shape(leaves)
        self._values = shape.values
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(list[shape.type], strict=False)  # type: ignore[name-defined]

    def read(self, items: str | bytes) -> Iterable[tuple[Any, ...]]:
        """Raises FrameRefused before the first item when any is not of this shape."""
        return map(self._values, decode(self._decoder, items))


class Glance:
    """Looks for values that may or may not be there, in a message of any shape."""

    def __init__(self, paths: Sequence[str]) -> None:
        tree = _Tree([Leaf(path, Raw, ABSENT) for path in paths], is_loose=True)
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(tree.type)
        self._names = [tree.attribute(path) for path in paths]
        self._values = attrgetter(*self._names, "nothing")
        self._holders = [(index, tree.defaults[path]) for index, path in enumerate(paths) if path in tree.defaults]

    def read(self, message: str | bytes) -> Sequence[Any]:
        """Raw JSON, or for what holds another of the paths whatever it is; ABSENT for what is not there. Raises
        FrameRefused for what is no JSON."""
        seen = decode(self._decoder, message)
        values: Sequence[Any]
        try:
            values = self._values(seen)
        except AttributeError:
            values = [reduce(_inside, name.split("."), seen) for name in self._names]
        if self._holders:
            values = list(values)
            for index, default in self._holders:
                if values[index] is default:
                    values[index] = ABSENT
        return values


def scalar(value: Any) -> str:
    """The text of a JSON scalar, a string's without its quotes; empty for what is absent, a list or a mapping."""
    if isinstance(value, Raw):
        text = bytes(value)
        if text[:1] == b'"':
            return decode(_text, text)
        return "" if text[:1] in (b"[", b"{") else text.decode("utf-8", "replace")
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else ""


_text = msgspec.json.Decoder(str)


def _inside(holder: Any, name: str) -> Any:
    return getattr(holder, name, ABSENT)


class _Tree:
    """Leaves by their steps, made into nested message types. Where one is nested a loose tree takes anything else too;
    `defaults` are what then stands for one that is not there, by its path."""

    def __init__(self, leaves: Sequence[Leaf], is_loose: bool = False) -> None:
        self.defaults: dict[str, Any] = {}
        self._is_loose = is_loose
        self._root: dict[str, Any] = {}
        for leaf in leaves:
            *holders, last = leaf.path.split(".")
            node = reduce(lambda holder, step: holder.setdefault(step, {}), holders, self._root)
            node.setdefault(last, {} if is_loose else leaf)
        self.type = self._made(self._root, ())

    def attribute(self, path: str) -> str:
        """The attributes that lead to a leaf, with points between."""
        names, node = [], self._root
        for step in path.split("."):
            names.append(_name(node, step))
            node = node[step]
        return ".".join(names)

    def _made(self, node: Mapping[str, Any], path: tuple[str, ...]) -> Any:
        is_list = any(step.isdigit() for step in node)
        steps = [str(index) for index in range(1 + max(map(int, node)))] if is_list else list(node)
        unread: Any = {} if self._is_loose else Leaf("")
        fields = [self._field(_name(node, step), node.get(step, unread), (*path, step)) for step in steps]
        if not is_list:
            fields.sort(key=len)  # those with a default last, as msgspec wants it
        return msgspec.defstruct(
            "Positions" if is_list else "Keys",
            fields,
            rename=None if is_list else {_name(node, step): step for step in steps},
            array_like=is_list,
            frozen=True,
            namespace={"nothing": None},
        )

    def _field(self, name: str, inner: Any, path: tuple[str, ...]) -> tuple[Any, ...]:
        if isinstance(inner, Leaf):
            is_required = inner.default is msgspec.NODEFAULT or path[-1].isdigit()  # no position can be left out
            return (name, inner.type) if is_required else (name, inner.type, inner.default)
        if not inner:
            return name, Raw, ABSENT
        made = self._made(inner, path)
        if not self._is_loose:
            return name, made
        self.defaults[".".join(path)] = default = made()
        other = dict[str, Raw] if made.__struct_config__.array_like else list[Raw]
        return name, made | None | bool | int | float | str | other, default  # not money: whatever JSON may be there


def _name(node: Mapping[str, Any], step: str) -> str:
    return f"at_{step}" if step.isdigit() else f"key_{list(node).index(step)}"
