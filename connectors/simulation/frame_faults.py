"""The faults that strike single frames."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from connectors.simulation.contract import Hangup, Outgoing, Push
from connectors.simulation.exchange import SimulatedExchange
from connectors.simulation.fault_kinds import DROPPED, Fault


@dataclass
class FrameFault(Fault):
    """Strikes frames. `count`: only that many of them (0: all); `probability`: only so great a part of them."""

    count: int = 0
    probability: float = 1.0  # not money: a chance
    struck: int = field(default=0, init=False)

    @property
    def is_spent(self) -> bool:  # type: ignore[override]
        return 0 < self.count <= self.struck

    def meets(self, push: Push, random: Random) -> bool:
        if self.is_spent or not self.aims_at(push):
            return False
        if self.probability < 1 and random.random() >= self.probability:
            return False
        self.struck += 1
        return True

    def strike(self, push: Push, random: Random) -> list[Outgoing]:
        """What goes out in place of the frame."""
        return []


class Loss(FrameFault):
    """Frames are lost."""


class Silent(FrameFault):
    """No frame comes out while the connection stands; with a symbol, none of that book."""


@dataclass
class Gap(FrameFault):
    """The next frame about a book is lost."""

    count: int = 1

    def meets(self, push: Push, random: Random) -> bool:
        return push.is_about_book and super().meets(push, random)


class Duplicate(FrameFault):
    """Frames come twice."""

    def strike(self, push: Push, random: Random) -> list[Outgoing]:
        return [push, push]


@dataclass
class Reorder(FrameFault):
    """Frames change places with the next one of the same book for the same client."""

    held: dict[tuple[int, str, bool], Push] = field(default_factory=dict, init=False)

    @property
    def is_spent(self) -> bool:  # type: ignore[override]
        return not self.held and 0 < self.count <= self.struck

    def meets(self, push: Push, random: Random) -> bool:
        if push.line in self.held:
            return True
        return not 0 < self.count <= self.struck and super().meets(push, random)

    def strike(self, push: Push, random: Random) -> list[Outgoing]:
        earlier = self.held.pop(push.line, None)
        if earlier is not None:
            return [push, earlier]
        self.held[push.line] = push
        return []

    def end(self, exchange: SimulatedExchange) -> list[Push]:
        return list(self.held.values())

    def forget(self, client: int) -> None:
        self.held = {key: push for key, push in self.held.items() if key[0] != client}


@dataclass
class Garbage(FrameFault):
    """The next frame arrives as bytes that mean nothing."""

    count: int = 1

    def strike(self, push: Push, random: Random) -> list[Outgoing]:
        noise = bytes(random.getrandbits(8) for _ in range(24))
        return [push._replace(frame=noise if isinstance(push.frame, bytes) else "{]" + noise.hex())]


@dataclass
class Corrupt(FrameFault):
    """The next frame arrives with a digit that is none any more, or, if it is compressed, with a wrong checksum."""

    count: int = 1

    def strike(self, push: Push, random: Random) -> list[Outgoing]:
        frame = push.frame
        if isinstance(frame, bytes):
            return [push._replace(frame=frame[:-8] + bytes(byte ^ 0x5A for byte in frame[-8:]))]
        digits = [place for place, letter in enumerate(frame) if letter.isdigit()]
        if not digits:
            return [push._replace(frame=frame + "?")]
        place = digits[random.getrandbits(32) % len(digits)]
        return [push._replace(frame=frame[:place] + "?" + frame[place + 1 :])]


@dataclass
class Cut(FrameFault):
    """The connection dies in the middle of the next frame."""

    count: int = 1

    def strike(self, push: Push, random: Random) -> list[Outgoing]:
        part = push._replace(frame=push.frame[: len(push.frame) // 2])
        return [part, Hangup(push.client, DROPPED, "cut in the middle of a frame")]


@dataclass
class Frozen(FrameFault):
    """No level changes any more; with `replay` the venue goes on sending, but always the same frame of each book."""

    replay: bool = False
    pictures: dict[tuple[int, str], Push] = field(default_factory=dict, init=False)

    def begin(self, exchange: SimulatedExchange) -> None:
        if not self.replay:
            exchange.freeze(self.symbol or None)

    def end(self, exchange: SimulatedExchange) -> list[Push]:
        if not self.replay:
            exchange.thaw(self.symbol or None)
        return []

    def meets(self, push: Push, random: Random) -> bool:
        return self.replay and push.is_about_book and super().meets(push, random)

    def strike(self, push: Push, random: Random) -> list[Outgoing]:
        return [self.pictures.setdefault((push.client, push.symbol), push)]

    def forget(self, client: int) -> None:
        self.pictures = {key: push for key, push in self.pictures.items() if key[0] != client}
