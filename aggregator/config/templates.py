"""Texts with blanks, such as `{"op": "sub", "args": [<each>]}`: their scalars, and how they are filled in.

A blank is a name between angle brackets, which neither JSON nor a path has. What may stand in one depends on the key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from aggregator.config.document import shown
from aggregator.config.scalars import from_text, matching

BLANK = "___"
"""Stands in a new file for what its writer has to fill in."""

SYMBOL_BLANKS = ("symbol", "symbol:lower", "symbol:upper")
TIME_BLANKS = ("time_s", "time_ms")

_BLANK = re.compile("<([^<>]*)>")
_STEP = "(?:[A-Za-z_$][A-Za-z0-9_$-]{0,63}|[0-9]{1,2})"
_PATH = rf"{_STEP}(?:\.{_STEP}){{0,7}}"
_LONGEST = 1000


def blanks(template: str) -> list[str]:
    """The names in it, in their order."""
    return _BLANK.findall(template)


def fill(template: str, values: Mapping[str, str]) -> str:
    """Raises KeyError for a blank without a value; which blanks there may be is checked where a template is read."""
    return _BLANK.sub(lambda blank: values[blank[1]], template)


def _template(*known: str, wanted: str, one_of: tuple[str, ...] = ()) -> BeforeValidator:
    """A text on one line in which only `known` blanks stand, and one of `one_of` if any are named."""

    def read(text: str) -> str:
        if not text.strip() or len(text) > _LONGEST or not text.isprintable():
            raise ValueError(f"{shown(text)} is not {wanted}: one line of at most {_LONGEST} characters")
        for name in blanks(text):
            if name not in known:
                raise ValueError(f"<{name}> is no blank of this text; there are {_listed(known)}")
        if one_of and not set(one_of) & set(blanks(text)):
            raise ValueError(f"{shown(text)} names nothing to be filled in; write {_listed(one_of)} where it belongs")
        return text

    return from_text(read, wanted)


def read_words(text: str) -> str:
    """A text whose blanks are paths into the message that it is about."""
    if not text.strip() or len(text) > _LONGEST or not text.isprintable():
        raise ValueError(f"{shown(text)} is not one line of at most {_LONGEST} characters")
    for name in blanks(text):
        if not re.fullmatch(_PATH, name):
            raise ValueError(f"<{name}> is no path into the message, such as <error.code>")
    for name, other in permutations(blanks(text), 2):
        if other.startswith(f"{name}."):
            raise ValueError(f"<{name}> holds <{other}>, so it is no single value; name what is in it")
        if differ(name.split("."), other.split(".")):
            raise ValueError(f"<{name}> and <{other}> take one thing for a list and a mapping; correct one of the two")
    return text


def differ(steps: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two paths part at a position in a list here, at a key there."""
    parted = next(((one, two) for one, two in zip(steps, other, strict=False) if one != two), ("", ""))
    return parted[0].isdigit() != parted[1].isdigit()


def read_spelling(text: str) -> str:
    if sorted(blanks(text)) != ["base", "quote"] or re.search(r"\s", text) or len(text) > 60:
        raise ValueError(
            f"{shown(text)} is not how symbols are spelt; write <base> and <quote> once each: <base>_<quote>"
        )
    return text


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"<{name}>" for name in names)


def _schema(example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": r"\S", "examples": [example]})


FieldPath = Annotated[
    str,
    matching(_PATH, "a path into the message: keys and positions with points between, such as data.0.price"),
    WithJsonSchema({"type": "string", "pattern": f"^{_PATH}$", "examples": ["data.0.price"]}),
]
MessageTemplate = Annotated[
    str,
    _template(
        *(*SYMBOL_BLANKS, "each", "id", *TIME_BLANKS),
        wanted="a message for the venue",
        one_of=(*SYMBOL_BLANKS, "each"),
    ),
    _schema('{"method": "SUBSCRIBE", "params": [<each>], "id": <id>}'),
]
EachTemplate = Annotated[
    str,
    _template(*SYMBOL_BLANKS, wanted="one symbol's part of a message", one_of=SYMBOL_BLANKS),
    _schema('"<symbol:lower>@depth"'),
]
KeepaliveTemplate = Annotated[str, _template("id", *TIME_BLANKS, wanted="a message for the venue"), _schema("PING")]
PathTemplate = Annotated[
    str,
    _template(*SYMBOL_BLANKS, wanted="a path with its query", one_of=SYMBOL_BLANKS),
    WithJsonSchema({"type": "string", "pattern": r"\S", "examples": ["/api/depth?symbol=<symbol>&limit=100"]}),
]
Words = Annotated[str, from_text(read_words, "a text"), _schema("request <id>")]
Spelling = Annotated[
    str,
    from_text(read_spelling, "a spelling such as <base>_<quote>"),
    WithJsonSchema({"type": "string", "pattern": "<(base|quote)>.*<(base|quote)>", "examples": ["<base>_<quote>"]}),
]
RestPath = Annotated[
    str,
    matching(r"/[^\s<>#]{0,200}", "a path below endpoints.rest, such as /api/markets"),
    WithJsonSchema({"type": "string", "pattern": r"^/[^\s<>#]*$", "examples": ["/api/markets"]}),
]
