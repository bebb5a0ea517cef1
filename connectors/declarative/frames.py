"""What a frame is before it is JSON."""

from __future__ import annotations

import zlib

from aggregator.domain.errors import FrameRefused
from connectors.decoding import INFLATED_AT_MOST

WINDOW_BITS = {"gzip": 31, "deflate": -15}
"""How zlib is told of each; a deflated frame has no header."""


def unpacked(frame: bytes, compression: str) -> bytes:
    """Raises FrameRefused for what is not one whole packed frame of a sane size."""
    inflater = zlib.decompressobj(wbits=WINDOW_BITS[compression])
    try:
        inflated = inflater.decompress(frame, INFLATED_AT_MOST)
    except zlib.error as error:
        raise FrameRefused(f"not {compression}: {error}") from None
    if not inflater.eof:
        raise FrameRefused(f"a {compression} frame that is cut short, or inflates past all reason")
    return inflated
