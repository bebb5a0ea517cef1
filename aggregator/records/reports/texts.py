"""What reports say, from one file a language: titles, columns, each figure's definition, and notes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import yaml

Language = Literal["en", "ko"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


class Texts(NamedTuple):
    """By key. A note may have places for values."""

    titles: dict[str, str]
    columns: dict[str, str]
    definitions: dict[str, str]
    notes: dict[str, str]


@cache
def texts(language: Language) -> Texts:
    found: dict[str, Any] = yaml.safe_load(Path(__file__).with_name(f"{language}.yaml").read_text(encoding="utf-8"))
    return Texts(**found)
