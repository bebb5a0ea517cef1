"""From a frame's bytes to a venue's message type, with one error for whatever may be wrong with them."""

from __future__ import annotations

import zlib
from typing import Annotated, TypeVar

import msgspec

from aggregator.domain.errors import FrameRefused

T = TypeVar("T")

Whole = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""A number that counts or numbers something: an id, levels, decimals."""

TimeMs = Annotated[int, msgspec.Meta(ge=0, le=9 * 10**12)]
"""A venue's time in ms since the Unix epoch, until the year 2255, so that in ns it fits 64 bits."""

INFLATED_AT_MOST = 16 * 1024 * 1024
"""A frame that inflates to more than this is no market data."""


def decode(decoder: msgspec.json.Decoder[T], frame: str | bytes) -> T:
    """Raises FrameRefused for anything that is not JSON of the decoder's type."""
    try:
        return decoder.decode(frame)
    except msgspec.MsgspecError as error:
        raise FrameRefused(f"not a message of this venue: {error}") from None
    except (UnicodeError, RecursionError) as error:
        raise FrameRefused(f"not JSON: {type(error).__name__}") from None


def gunzip(frame: bytes) -> bytes:
    """Raises FrameRefused for what is not one whole gzip member of a sane size."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        inflated = inflater.decompress(frame, INFLATED_AT_MOST)
    except zlib.error as error:
        raise FrameRefused(f"not gzip: {error}") from None
    if not inflater.eof:
        raise FrameRefused("a gzip frame that is cut short, or inflates past all reason")
    return inflated
