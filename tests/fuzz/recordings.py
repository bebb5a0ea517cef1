"""The first records of each recording that lies beside the repository, by connector."""

import base64
import gzip
import json
from functools import cache
from itertools import islice
from typing import NamedTuple
from zlib import decompressobj, error

from tests.fuzz.dialects import Sample
from tests.paths import shared

CONNECTORS = {"binance_us": "binance", "ftx_us": "ftx"}
"""Where a recording's venue is spoken to by a connector of another name."""

RECORDS_OF_EACH = 300


class Recording(NamedTuple):
    name: str
    samples: list[Sample]


@cache
def recordings(connector: str) -> list[Recording]:
    """Empty where there are none."""
    found = []
    for file in sorted(shared("captures").glob("*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            venue = json.loads(next(lines))["venue"]
            if CONNECTORS.get(venue, venue) == connector:
                records = [json.loads(line) for line in islice(lines, RECORDS_OF_EACH)]
                found.append(Recording(file.name, [_sample(record) for record in records if _is_heard(record)]))
    return found


def _is_heard(record: dict[str, str]) -> bool:
    return record["kind"] in ("received", "fetched")


def _sample(record: dict[str, str]) -> Sample:
    path = record.get("url", "") if record["kind"] == "fetched" else ""
    if "text" in record:
        return Sample(record["text"], path)
    payload = base64.b64decode(record["base64"])
    is_gzipped = payload[:2] == b"\x1f\x8b"
    return Sample((inflated(payload) if is_gzipped else payload).decode("utf-8", "replace"), path, is_gzipped)


def inflated(payload: bytes) -> bytes:
    """As much as can be had."""
    try:
        return decompressobj(wbits=31).decompress(payload, 1 << 24)
    except error:
        return b""
