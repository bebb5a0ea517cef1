"""One group of subscriptions, kept alive over successive sockets. Pure: sockets are opened by others.

A socket that dies is opened again after a back-off. One that the venue is about to cut is replaced first:
the replacement carries a session of its own, and each book passes to it with its first snapshot there, so
that no book is ever without a socket that continues it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from aggregator.domain.events import BookDelta, BookLost, BookSnapshot, BookUnchanged, MarketEvent, Trade
from connectors.contract import Fetch, Habits, Reply, Send
from connectors.pacing import SECOND, Backoff
from connectors.session import Session
from connectors.sockets import Connect, Hangup, Socket, SocketAction, Transmit

__all__ = ["Action", "Connect", "Connection", "Get", "Hangup", "Transmit"]

HANDOVER_NS = 60 * SECOND
"""After this long a replacement takes over even the books of which it has no snapshot yet."""

PROVEN_NS = 30 * SECOND
"""A connection that lasted longer than this was a good one: the next failure counts as the first again."""

BOOK_EVENTS = (BookDelta, BookSnapshot, BookLost, BookUnchanged, Trade)


class Get(NamedTuple):
    """A REST request on behalf of a socket's session."""

    socket: int
    fetch: Fetch


Action = SocketAction | Get


class _Socket(Socket):
    """With the session that it carries."""

    __slots__ = ("session",)

    def __init__(self, habits: Habits, session: Session) -> None:
        super().__init__(habits)
        self.session = session


class Connection:
    """See the module. `next_socket` numbers sockets for the whole venue; `connect_at_ns` tells when the
    venue's budget of connections permits one."""

    def __init__(
        self,
        url: str,
        habits: Habits,
        new_session: Callable[[], Session],
        backoff: Backoff,
        next_socket: Callable[[], int],
        connect_at_ns: Callable[[int], int],
    ) -> None:
        self.url = url
        self.connects = 0
        self.last_failure = ""
        self._habits = habits
        self._new_session = new_session
        self._backoff = backoff
        self._next_socket = next_socket
        self._budget_at_ns = connect_at_ns
        self._sockets: dict[int, _Socket] = {}
        self._current: int | None = None
        self._replacement: int | None = None
        self._owners: dict[str, int] = {}
        self._connect_at_ns: int | None = None
        self._stopped = True
        self._actions: list[Action] = []

    @property
    def is_open(self) -> bool:
        return self._current is not None and self._sockets[self._current].is_open

    @property
    def has_actions(self) -> bool:
        return bool(self._actions)

    @property
    def heard_ns(self) -> int:
        """When bytes last came; 0 before the first."""
        return max((socket.heard_ns for socket in self._sockets.values()), default=0)

    def start(self, now_ns: int) -> None:
        self._stopped = False
        self._connect_at_ns = now_ns
        self._connect_if_due(now_ns)

    def stop(self, reason: str, now_ns: int) -> Sequence[MarketEvent]:
        self._stopped = True
        self._connect_at_ns = None
        return [event for socket in list(self._sockets) for event in self._end(socket, reason, now_ns)]

    def has(self, socket: int) -> bool:
        return socket in self._sockets

    def opened(self, socket: int, now_ns: int) -> Sequence[MarketEvent]:
        state = self._sockets[socket]
        state.opened(now_ns)
        return self._pass_on(socket, state.session.opened(now_ns), now_ns)

    def received(self, socket: int, frame: str | bytes, now_ns: int) -> Sequence[MarketEvent]:
        state = self._sockets[socket]
        state.heard_ns = now_ns
        return self._pass_on(socket, state.session.received(frame, now_ns), now_ns)

    def fetched(self, socket: int, reply: Reply, now_ns: int) -> Sequence[MarketEvent]:
        return self._pass_on(socket, self._sockets[socket].session.fetched(reply, now_ns), now_ns)

    def closed(self, socket: int, reason: str, now_ns: int) -> Sequence[MarketEvent]:
        """The socket ended, or could not be opened."""
        self.last_failure = reason
        state = self._sockets.pop(socket)
        if state.opened_ns and now_ns - state.opened_ns > PROVEN_NS:
            self._backoff.reset()
        events = list(self._owned(socket, state.session.closed(reason, now_ns)))
        if socket == self._current:
            self._current, self._replacement = self._replacement, None
            self._owners.clear()
        else:
            self._replacement = None
        if self._current is None and not self._stopped:
            self._connect_at_ns = now_ns + self._backoff.next_wait_ns()
        return events

    def resync(self, symbol: str, reason: str, now_ns: int) -> Sequence[MarketEvent]:
        """Give one book up and ask for it anew, on whichever socket carries it."""
        for socket, state in self._sockets.items():
            book = state.session.books.get(symbol)
            if book is not None and self._owner(book.listing.instrument.name) == socket:
                return self._pass_on(socket, state.session.resync(symbol, reason, now_ns), now_ns)
        return []

    def woken(self, now_ns: int) -> Sequence[MarketEvent]:
        self._connect_if_due(now_ns)
        events: list[MarketEvent] = []
        for socket, state in list(self._sockets.items()):
            if state.is_open:
                events += self._tend(socket, state, now_ns)
        return events

    def wake_at_ns(self) -> int | None:
        return min(self._wakes(), default=None)

    def take_actions(self) -> list[Action]:
        actions, self._actions = self._actions, []
        return actions

    def _tend(self, socket: int, state: _Socket, now_ns: int) -> Sequence[MarketEvent]:
        """What time alone brings about on an open socket."""
        if silence := state.silence(now_ns):
            return self._end(socket, silence, now_ns)
        if (keepalive := state.take_keepalive(now_ns)) is not None:
            self._actions.append(Transmit(socket, keepalive))
        if socket == self._current and state.is_old(now_ns):
            self._replace(now_ns)
        state.session.woken(now_ns)
        events = self._pass_on(socket, (), now_ns)
        if socket == self._replacement and now_ns - state.opened_ns >= HANDOVER_NS:
            return [*events, *self._hand_over(now_ns)]
        return events

    def _wakes(self) -> Iterator[int]:
        if self._connect_at_ns is not None:
            yield self._connect_at_ns
        for socket, state in self._sockets.items():
            if not state.is_open:
                continue
            yield from state.wakes()
            old_at_ns = state.old_at_ns()
            if old_at_ns is not None and socket == self._current and self._replacement is None:
                yield old_at_ns
            if socket == self._replacement:
                yield state.opened_ns + HANDOVER_NS
            session_ns = state.session.wake_at_ns()
            if session_ns is not None:
                yield session_ns

    def _connect_if_due(self, now_ns: int) -> None:
        if self._connect_at_ns is None or now_ns < self._connect_at_ns:
            return
        permitted_ns = self._budget_at_ns(now_ns)
        if permitted_ns > now_ns:
            self._connect_at_ns = permitted_ns
            return
        self._connect_at_ns = None
        socket = self._next_socket()
        self._sockets[socket] = _Socket(self._habits, self._new_session())
        if self._current is None:
            self._current = socket
        else:
            self._replacement = socket
        self.connects += 1
        self._actions.append(Connect(socket, self.url))

    def _replace(self, now_ns: int) -> None:
        if self._replacement is None and self._connect_at_ns is None:
            self._connect_at_ns = now_ns
            self._connect_if_due(now_ns)

    def _hand_over(self, now_ns: int) -> Sequence[MarketEvent]:
        """The replacement carries on alone; what it has no snapshot of is lost for now."""
        old, new = self._current, self._replacement
        if old is None or new is None:
            return []
        session = self._sockets[new].session
        lost = [book.awaited(now_ns) for book in session.books if not book.is_whole]
        return [*self._end(old, "replaced", now_ns, loses_books=False), *lost]

    def _end(self, socket: int, reason: str, now_ns: int, *, loses_books: bool = True) -> Sequence[MarketEvent]:
        self._actions.append(Hangup(socket, reason))
        events = self.closed(socket, reason, now_ns)
        return events if loses_books else []

    def _pass_on(self, socket: int, events: Sequence[MarketEvent], now_ns: int) -> Sequence[MarketEvent]:
        """Carry out what the session asks for; let through what this socket may speak about."""
        state = self._sockets[socket]
        requests = state.session.take_requests()
        for request in requests:
            if isinstance(request, Send):
                if (urgent := state.say(request)) is not None:
                    self._actions.append(Transmit(socket, urgent))
            elif isinstance(request, Fetch):
                self._actions.append(Get(socket, request))
            else:
                self._replace(now_ns)
        if state.to_send:
            self._actions += [Transmit(socket, text) for text in state.take_due(now_ns)]
        if self._replacement is None:
            return events
        owned = list(self._owned(socket, events))
        if socket == self._replacement and state.is_open and all(book.is_whole for book in state.session.books):
            owned += self._hand_over(now_ns)
        return owned

    def _owner(self, instrument: str) -> int | None:
        return self._owners.get(instrument, self._current)

    def _owned(self, socket: int, events: Sequence[MarketEvent]) -> Iterator[MarketEvent]:
        """While two sockets carry the same books, each book and its trades are told by one of them."""
        for event in events:
            if isinstance(event, BookSnapshot):
                self._owners[event.instrument] = max(socket, self._owner(event.instrument) or socket)
            if not isinstance(event, BOOK_EVENTS) or self._owner(event.instrument) == socket:
                yield event
