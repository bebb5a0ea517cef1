"""One socket under its venue's habits: how fast it may be spoken to, and what time alone brings about. Pure.

Used for market data and for the private stream alike.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from connectors.contract import Habits, Send
from connectors.pacing import SECOND


class Connect(NamedTuple):
    socket: int
    url: str


class Transmit(NamedTuple):
    socket: int
    text: str


class Hangup(NamedTuple):
    socket: int
    reason: str


SocketAction = Connect | Transmit | Hangup


class Socket:
    """Times are ns since the Unix epoch, by our clock. `opened_ns` is 0 until the socket stands, `heard_ns` is when
    bytes last came, `to_send` what waits for its turn."""

    __slots__ = ("_habits", "_kept_alive_ns", "_sent_ns", "heard_ns", "opened_ns", "to_send")

    def __init__(self, habits: Habits) -> None:
        self.opened_ns = 0
        self.heard_ns = 0
        self._habits = habits
        self._sent_ns = 0
        self._kept_alive_ns = 0
        self.to_send: deque[str] = deque()

    @property
    def is_open(self) -> bool:
        return self.opened_ns > 0

    def opened(self, now_ns: int) -> None:
        self.opened_ns = self.heard_ns = self._kept_alive_ns = now_ns

    def say(self, send: Send) -> str | None:
        """The text back if it is to leave at once; what is not urgent waits for its turn."""
        if send.urgent:
            return send.text
        self.to_send.append(send.text)
        return None

    def take_due(self, now_ns: int) -> Iterator[str]:
        """What may leave by now, of what waits."""
        while self.to_send and self._send_at_ns() <= now_ns:
            self._sent_ns = now_ns
            yield self.to_send.popleft()

    def take_keepalive(self, now_ns: int) -> str | None:
        habits = self._habits
        if habits.keepalive is None or now_ns - self._kept_alive_ns < habits.keepalive_ns:
            return None
        self._kept_alive_ns = now_ns
        return habits.keepalive(now_ns)

    def silence(self, now_ns: int) -> str:
        """Why it is to be taken for dead; empty while it is not."""
        silence_ns = self._habits.silence_ns
        if silence_ns and now_ns - self.heard_ns >= silence_ns:
            return f"nothing was heard for {silence_ns // SECOND} s"
        return ""

    def is_old(self, now_ns: int) -> bool:
        """Whether the venue is about to cut it."""
        return bool(self._habits.life_ns) and now_ns - self.opened_ns >= self._habits.life_ns

    def wakes(self) -> Iterator[int]:
        """When any of this is due, but for its age."""
        habits = self._habits
        if habits.silence_ns:
            yield self.heard_ns + habits.silence_ns
        if habits.keepalive:
            yield self._kept_alive_ns + habits.keepalive_ns
        if self.to_send:
            yield self._send_at_ns()

    def old_at_ns(self) -> int | None:
        return self.opened_ns + self._habits.life_ns if self._habits.life_ns else None

    def _send_at_ns(self) -> int:
        return max(self.opened_ns + self._habits.settle_ns, self._sent_ns + self._habits.spacing_ns)
