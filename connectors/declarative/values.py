"""Single values of declared messages: ids, times, texts, and the blanks of a text filled in with them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Raw

from aggregator.config.templates import blanks, fill
from aggregator.domain.errors import FrameRefused
from aggregator.domain.numbers import POWERS, parse_decimal
from connectors.declarative.shapes import ABSENT, Glance, scalar
from connectors.decoding import decode
from connectors.levels import number

DECIMALS_TO_NS = {"s": 9, "ms": 6, "us": 3, "ns": 0}
"""Decimals that make ns of a time in each unit."""

LATEST_NS = 9 * 10**18
"""The year 2255: what is later is no time."""

LONGEST_ECHO = 200
"""Characters of a value that is sent back to the venue."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_datetime: msgspec.json.Decoder[datetime] = msgspec.json.Decoder(Annotated[datetime, msgspec.Meta(tz=True)])


def moment_of(unit: str) -> Callable[[Raw], int]:
    """What reads a time in this unit as ns since the Unix epoch. It raises FrameRefused or NumberRefused."""
    if unit == "iso":
        return _iso_ns
    decimals = DECIMALS_TO_NS[unit]
    unit_ns = POWERS[decimals]

    def read(raw: Raw) -> int:
        text = bytes(raw)
        time_ns = int(text) * unit_ns if text.isdigit() and len(text) < 20 else parse_decimal(number(raw), decimals)
        if time_ns > LATEST_NS:
            raise FrameRefused(f"{bytes(raw)[:40]!r} is no time in {unit}")
        return time_ns

    return read


def _iso_ns(raw: Raw) -> int:
    time: datetime = decode(_datetime, bytes(raw))
    return (time - _EPOCH) // _MICROSECOND * 1000


def filled(template: str) -> Callable[[str | bytes], str]:
    """What fills a text's blanks with the values of a message, as they read."""
    read = _values_in(template)
    return lambda message: fill(template, {name: scalar(raw) for name, raw in read(message).items()})


def answered(template: str) -> Callable[[str | bytes], str]:
    """What fills a text's blanks with the values of a message, as they were written. It raises FrameRefused when one is
    missing, or too long to be sent back."""
    read = _values_in(template)

    def answer(message: str | bytes) -> str:
        values = {name: bytes(raw).decode("utf-8", "replace") for name, raw in read(message).items()}
        for name, value in values.items():
            if not value or value[0] in "[{" or len(value) > LONGEST_ECHO:
                raise FrameRefused(f"it wants {name} sent back, and has no short value there")
        return fill(template, values)

    return answer


def _values_in(template: str) -> Callable[[str | bytes], dict[str, Raw]]:
    names = list(dict.fromkeys(blanks(template)))
    if not names:
        return lambda _message: {}
    glance = Glance(names)

    def read(message: str | bytes) -> dict[str, Raw]:
        return {
            name: value if isinstance(value, Raw) else ABSENT
            for name, value in zip(names, glance.read(message), strict=False)
        }

    return read
