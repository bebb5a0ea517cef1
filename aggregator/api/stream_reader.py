"""One who reads the stream: what waits to be sent, and what is skipped when it reads too slowly."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol

from aggregator.api.auth import Caller
from aggregator.api.channels import Channel, Clock

WAITING_AT_MOST = 64
"""Messages that wait for a reader. They are shared with all other readers of the channel; past that number those that
a snapshot makes up for are skipped."""

KEPT_AT_MOST = 256
"""Of these, messages that no snapshot makes up for. Past that number the reader is let go."""

PATIENCE_NS = 10_000_000_000
"""How long a reader that is behind may take in nothing at all."""


class Drop(Enum):
    """Why a reader was let go: the word for metrics, the close code of RFC 6455, 7.4, and what the reader is told."""

    SLOW = ("slow", 1013, "too slow: messages that nothing makes up for no longer fit; connect again")
    STUCK = ("stuck", 1013, "nothing was read for 10 s; connect again")
    REQUESTS = ("requests", 1008, "too many requests; send fewer")
    STOPPING = ("stopping", 1001, "the service stops; connect again")
    FAULTY = ("faulty", 1011, "a fault of the service; connect again")

    def __init__(self, word: str, code: int, told: str) -> None:
        self.word = word
        self.code = code
        self.told = told


@dataclass(slots=True)
class Tally:
    """What all readers were sent since the start. `answer` counts what is of no channel."""

    messages: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)


class _Waiting(NamedTuple):
    channel: Channel | None
    message: bytes


class Outlet(Protocol):
    """The way to a reader."""

    def send_now(self, message: bytes) -> bool:
        """Whether it is sent. It is not while anything that was sent before is still on its way to the kernel."""
        ...

    async def send(self, message: bytes) -> None:
        """Waits while the reader does not read. Raises ConnectionError when it is gone."""
        ...


class Reader:
    """`channels` are those that it has subscribed to, with the sequence from which on it has each."""

    def __init__(self, outlet: Outlet, clock_ns: Clock, tally: Tally, caller: Caller | None = None) -> None:
        self.caller = caller
        self.channels: dict[Channel, int] = {}
        self.dropped: asyncio.Future[Drop] = asyncio.get_running_loop().create_future()
        self._outlet = outlet
        self._clock_ns = clock_ns
        self._tally = tally
        self._waiting: deque[_Waiting] = deque()
        self._behind: dict[Channel, None] = {}
        self._has_waiting = asyncio.Event()
        self._sending_since_ns = 0

    @property
    def waiting(self) -> int:
        """Messages that wait for it."""
        return len(self._waiting)

    @property
    def is_behind(self) -> bool:
        """Whether any of its channels is skipped at the moment."""
        return bool(self._behind)

    def answer(self, message: bytes) -> None:
        """To what it asked itself."""
        self._append(_Waiting(None, message))

    def begin(self, channel: Channel) -> None:
        """Let it have the channel from here on, or anew: first as a whole."""
        self.leave(channel)
        self.channels[channel] = channel.sequence
        self._append(_Waiting(channel, channel.snapshot()))

    def leave(self, channel: Channel) -> None:
        self.channels.pop(channel, None)
        self._behind.pop(channel, None)
        self._waiting = deque(waiting for waiting in self._waiting if waiting.channel is not channel)

    def offer(self, channel: Channel, message: bytes) -> None:
        """The newest change of one of its channels, sent at once if nothing waits. A reader that is behind on it gets a
        snapshot instead, when it has read what waits."""
        begun = self.channels.get(channel)
        if begun is None or begun >= channel.sequence:
            return
        if channel in self._behind:
            self._tally.skipped[channel.topic.channel] += 1
        elif not self._is_busy and self._outlet.send_now(message):
            self._count(channel, message)
        else:
            self._append(_Waiting(channel, message))

    def drop(self, why: Drop) -> None:
        if not self.dropped.done():
            self.dropped.set_result(why)

    def drop_if_stuck(self, now_ns: int) -> None:
        """Called now and then."""
        if self._behind and self._sending_since_ns and now_ns - self._sending_since_ns > PATIENCE_NS:
            self.drop(Drop.STUCK)

    async def pump(self) -> None:
        """Send what waits, in order, until cancelled. Raises ConnectionError when the reader is gone."""
        while True:
            await self._has_waiting.wait()
            self._has_waiting.clear()
            while (waiting := self._next()) is not None:
                self._sending_since_ns = self._clock_ns()
                await self._outlet.send(waiting.message)
                self._sending_since_ns = 0
                self._count(waiting.channel, waiting.message)

    @property
    def _is_busy(self) -> bool:
        return bool(self._waiting or self._behind or self._sending_since_ns)

    def _count(self, channel: Channel | None, message: bytes) -> None:
        name = "answer" if channel is None else channel.topic.channel
        self._tally.messages[name] += 1
        self._tally.bytes[name] += len(message)

    def _append(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        self._has_waiting.set()
        if len(self._waiting) > WAITING_AT_MOST:
            self._skip()

    def _skip(self) -> None:
        """Forget all that a snapshot makes up for. What then still waits nothing makes up for."""
        kept: deque[_Waiting] = deque()
        for waiting in self._waiting:
            if waiting.channel is None or not waiting.channel.is_skippable:
                kept.append(waiting)
            else:
                self._behind[waiting.channel] = None
                self._tally.skipped[waiting.channel.topic.channel] += 1
        self._waiting = kept
        if len(kept) > KEPT_AT_MOST:
            self.drop(Drop.SLOW)

    def _next(self) -> _Waiting | None:
        """What has waited longest, and then the channels that it is behind on, as they are now."""
        if self._waiting:
            return self._waiting.popleft()
        if self._behind:
            channel = next(iter(self._behind))
            del self._behind[channel]
            self.channels[channel] = channel.sequence
            return _Waiting(channel, channel.snapshot())
        return None
