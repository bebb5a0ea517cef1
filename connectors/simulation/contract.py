"""What a simulated venue offers to whatever carries its bytes.

Like the connectors, a simulated venue is pure: it is told what a client did and what time it is, and
answers with frames and replies. `loopback` carries them in memory under one simulated clock, `server`
over real sockets; `faults` stands between.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol


class Push(NamedTuple):
    """A frame for one client: text, or bytes for a binary frame. `symbol` is the book that it is about, in
    the venue's spelling, when it is about one, and `is_private` says that it tells of the account's orders:
    faults are aimed by them."""

    client: int
    frame: str | bytes
    symbol: str = ""
    is_private: bool = False

    @property
    def line(self) -> tuple[int, str, bool]:
        """Frames of one line keep their order."""
        return self.client, self.symbol, self.is_private

    @property
    def is_about_book(self) -> bool:
        return bool(self.symbol) and not self.is_private


class Ping(NamedTuple):
    """A ping of the websocket protocol itself."""

    client: int


class Hangup(NamedTuple):
    """The venue closes the connection."""

    client: int
    code: int
    reason: str


Outgoing = Push | Ping | Hangup


class HttpRequest(NamedTuple):
    """`target` is the path with its query, as sent."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class HttpReply(NamedTuple):
    """A `status` of 0 is no reply at all: the connection ends without one."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


class SimulatedVenue(Protocol):
    """Times are ns since the Unix epoch, by the venue's clock.

    Clients are numbered by the carrier. After any call the carrier asks `wake_at_ns` and calls `woken`
    once that time has come; that is when books move and heartbeats are due.
    """

    name: str

    def connected(self, client: int, path: str, now_ns: int) -> list[Outgoing]:
        """A websocket was opened on `path` (with its query)."""
        ...

    def received(self, client: int, frame: str | bytes, now_ns: int) -> list[Outgoing]: ...

    def disconnected(self, client: int, now_ns: int) -> None: ...

    def requested(self, request: HttpRequest, now_ns: int) -> HttpReply: ...

    def places_order(self, request: HttpRequest) -> bool:
        """Whether this request is one to place an order: faults are aimed by it."""
        ...

    def woken(self, now_ns: int) -> list[Outgoing]: ...

    def wake_at_ns(self) -> int: ...
