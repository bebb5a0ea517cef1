"""What a venue's protocol says to the aggregator, and what it may ask of the world.

A venue's part is pure: it is handed bytes and the time, and answers with events, or with requests that
someone else carries out. It opens nothing, awaits nothing and reads no clock, so the same object runs on
sockets, in a replay, in simulation and under a fuzzer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from aggregator.domain.events import BookDelta, MarketEvent
from connectors.books import Books
from connectors.sequencing import PreviousId, UpdateRange


class Send(NamedTuple):
    """A text frame for the venue. What is urgent, such as the answer to a heartbeat, passes all that waits
    for its turn."""

    text: str
    urgent: bool = False


class Fetch(NamedTuple):
    """A GET of `path` (with its query) at the venue's REST endpoint. `weight` is its cost in the venue's
    request budget. Every fetch is answered by one reply, whatever becomes of it."""

    path: str
    weight: int = 1


class Reconnect(NamedTuple):
    """Open another connection in place of this one, for the reason given."""

    reason: str


Request = Send | Fetch | Reconnect


REPLY_PATIENCE_NS = 10_000_000_000
"""How long a reply is waited for; then it has not come."""


class Reply(NamedTuple):
    """What came of a request. `status` is HTTP's, or 0 when no answer came; then `body` says why, and `was_sent`
    whether the venue may have got the request all the same."""

    url: str
    status: int
    body: bytes
    headers: Mapping[str, str] = {}
    was_sent: bool = True


class Answer(NamedTuple):
    """What a frame or a reply came to: events for the aggregator, requests for the world."""

    events: Sequence[MarketEvent] = ()
    requests: Sequence[Request] = ()


NOTHING = Answer()


class Habits(NamedTuple):
    """What a venue expects of a connection besides its messages. Times in ns; 0 means that there is no such
    rule.

    `settle_ns` is to pass after connecting before anything is sent, `spacing_ns` between two messages.
    A connection on which nothing came for `silence_ns` is dead. One older than `life_ns` is about to be
    cut by the venue. `keepalive` is sent every `keepalive_ns`.
    """

    silence_ns: int
    settle_ns: int = 0
    spacing_ns: int = 0
    life_ns: int = 0
    keepalive_ns: int = 0
    keepalive: Callable[[int], str] | None = None


class MarketData(Protocol):
    """How one venue speaks about its public market data.

    `read` and `read_reply` raise FrameRefused (or NumberRefused) for what the protocol does not explain;
    they touch no book but the one that the bytes are about. With the symbol of a book in it, FrameRefused
    says that this book has missed a change; from `read_reply`, that the question for its snapshot failed.
    """

    separator: str
    """What stands between base and quote in the venue's symbols; empty where nothing does."""

    on_feed: bool
    """Whether the book channel is served at the venue's `feed` address rather than its `stream`."""

    habits: Habits

    snapshot_after_ns: int
    """How long after subscribing a book that has no snapshot yet is asked for."""

    def numbering(self) -> UpdateRange[BookDelta] | PreviousId[BookDelta]:
        """A machine of the kind that numbers this venue's updates."""
        ...

    def greet(self, now_ns: int) -> Sequence[Request]:
        """What is due when a connection stands, besides subscriptions."""
        ...

    def subscribe(self, symbols: Sequence[str], now_ns: int) -> Sequence[Request]: ...

    def ask_snapshot(self, symbol: str, now_ns: int) -> Sequence[Request]:
        """Ask for one book anew, leaving all others alone."""
        ...

    def read(self, frame: str | bytes, books: Books, now_ns: int) -> Answer: ...

    def read_reply(self, reply: Reply, books: Books, now_ns: int) -> Answer: ...

    def market_list(self) -> Fetch | None:
        """Where the venue's market list is. None where nobody has said."""
        ...

    def clock(self) -> Fetch | None:
        """Where the venue tells its time; the reply is read as a VenueClock. None where it does not."""
        ...
