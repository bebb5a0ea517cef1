"""The frames that contestants are given: seeded streams, and a recorded one. All are Binance's."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tests.paths import shared

SYMBOL = "BTCUSDT"
RECORDING = "binance-btcusdt-20240808.jsonl.gz"

_TICKS_PER_UNIT = 100
_MIDDLE = 61_837 * _TICKS_PER_UNIT
FIRST_ID = 50_000_000_000


@dataclass(frozen=True, slots=True)
class Feed:
    """A book's beginning, and what then happens to it. `early` frames came before the snapshot did."""

    early: list[str]
    snapshot: str
    frames: list[str]


def synthetic(changes: int, messages: int, seed: int, depth: int = 1000) -> Feed:
    """`messages` diffs of `changes` levels each, half on either side, on a book of about `depth` x `depth`.

    Prices have two decimals and quantities eight, all written with eight as the venue does. Most changes
    are near the best price; a third are new levels, a third removals and a third new quantities.
    """
    random = Random(seed)
    bids, asks = _Side(random, -1, depth), _Side(random, +1, depth)
    snapshot = json.dumps(
        {"lastUpdateId": FIRST_ID, "bids": bids.levels(), "asks": asks.levels()}, separators=(",", ":")
    )
    frames = []
    for number in range(messages):
        first_id = FIRST_ID + 1 + number * changes
        push = {
            "e": "depthUpdate",
            "E": 1_723_161_255_208 + number * 100,
            "s": SYMBOL,
            "U": first_id,
            "u": first_id + changes - 1,
            "b": bids.change(changes // 2),
            "a": asks.change(changes - changes // 2),
        }
        frames.append(_dumps({"stream": f"{SYMBOL.lower()}@depth@100ms", "data": push}))
    return Feed([], snapshot, frames)


class _Side:
    """One side of an imagined market, in ticks away from a middle that it never reaches."""

    def __init__(self, random: Random, direction: int, depth: int) -> None:
        self._random = random
        self._direction = direction
        self._depth = depth
        self._reach = depth * 5
        self._distances = set(random.sample(range(1, self._reach), depth))

    def levels(self) -> list[list[str]]:
        return [self._level(distance, self._quantity()) for distance in sorted(self._distances)]

    def change(self, count: int) -> list[list[str]]:
        """Change `count` different levels."""
        changed: dict[int, str] = {}
        while len(changed) < count:
            distance, quantity = self._one_change()
            changed.setdefault(distance, quantity)
            if changed[distance] == quantity:
                self._keep(distance, quantity)
        return [self._level(distance, quantity) for distance, quantity in changed.items()]

    def _one_change(self) -> tuple[int, str]:
        """A quantity for a place near the best price, so chosen that the depth stays about the same."""
        kind = self._random.randrange(3)
        while True:
            distance = min(int(self._random.expovariate(8 / self._reach)) + 1, self._reach)
            if (distance in self._distances) != (kind == 0):
                break
        return distance, "0.00000000" if kind == 1 else self._quantity()

    def _keep(self, distance: int, quantity: str) -> None:
        if quantity == "0.00000000":
            self._distances.discard(distance)
        else:
            self._distances.add(distance)

    def _quantity(self) -> str:
        return f"{self._random.expovariate(2) + 0.00001:.8f}"

    def _level(self, distance: int, quantity: str) -> list[str]:
        whole, cents = divmod(_MIDDLE + self._direction * distance, _TICKS_PER_UNIT)
        return [f"{whole}.{cents:02d}000000", quantity]


def recording() -> Path:
    return shared("captures", RECORDING)


def recorded() -> Feed:
    """The depth diffs of the recording, and the snapshot that they are joined to."""
    early: list[str] = []
    frames: list[str] = []
    snapshot = ""
    for record in _records(recording()):
        if record["kind"] == "fetched" and "/depth" in record["url"]:
            snapshot = record["text"]
        elif record["kind"] == "received" and "@depth" in record["text"][:40]:
            (frames if snapshot else early).append(record["text"])
    return Feed(early, snapshot, frames)


def _records(capture: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(capture, "rt", encoding="utf-8") as lines:
        next(lines)
        for line in lines:
            yield json.loads(line)


def _dumps(message: object) -> str:
    return json.dumps(message, separators=(",", ":"))
