"""The websocket on which a venue tells of one account, kept alive over successive sockets. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count

from aggregator.domain.errors import FrameRefused, NumberRefused
from aggregator.domain.events import FrameRejected
from aggregator.domain.order_events import AccountStream, VenueOrderEvent
from connectors.connection import PROVEN_NS
from connectors.contract import Habits
from connectors.pacing import SECOND, Backoff
from connectors.sockets import Connect, Hangup, Socket, SocketAction, Transmit
from connectors.trading import Errand, OrderEntry, Told

READY_PATIENCE_NS = 30 * SECOND
"""A stream that is not ready this long after it opened is tried anew."""

DOUBT_NS = 10 * SECOND
"""For this long after a frame that could not be read the stream is not believed to have told everything."""

StreamEvent = VenueOrderEvent | FrameRejected


class PrivateStream:
    """Times are ns since the Unix epoch, by our clock. Nothing that a venue can send makes this raise.

    `connect_at_ns` tells when a connection is permitted, and counts it if that is now. After any call actions and
    errands are to be taken and carried out.
    """

    def __init__(
        self,
        venue: str,
        url: str,
        habits: Habits,
        entry: OrderEntry,
        connect_at_ns: Callable[[int], int],
        jitter: Callable[[], float],  # not money: a chance
    ) -> None:
        self.is_live = False
        self.reason = "not connected yet"
        """Why it is not live; empty while it is."""
        self.connects = 0
        self.frames = 0
        self._venue = venue
        self._url = url
        self._habits = habits
        self._entry = entry
        self._permitted_at_ns = connect_at_ns
        self._backoff = Backoff(SECOND, 60 * SECOND, jitter)
        self._after_refusal = Backoff(60 * SECOND, 600 * SECOND, jitter)
        self._numbers = count(1)
        self._number: int | None = None
        self._socket = Socket(habits)
        self._connect_at_ns: int | None = None
        self._ready_by_ns: int | None = None
        self._live_again_ns: int | None = None
        self._told_reason = ""
        self._actions: list[SocketAction] = []
        self._errands: list[Errand] = []

    def start(self, now_ns: int) -> None:
        self._connect_at_ns = now_ns
        self._connect_if_due(now_ns)

    def stop(self, reason: str, now_ns: int) -> Sequence[StreamEvent]:
        events = self._end(reason, None, now_ns) if self._number is not None else []
        self._connect_at_ns = None
        return events

    def opened(self, socket: int, now_ns: int) -> Sequence[StreamEvent]:
        if socket != self._number:
            return []
        self._socket.opened(now_ns)
        self._ready_by_ns = now_ns + READY_PATIENCE_NS
        return self._pass_on(Told(sends=self._entry.greet(now_ns)), now_ns)

    def received(self, socket: int, frame: str | bytes, now_ns: int) -> Sequence[StreamEvent]:
        if socket != self._number:
            return []
        self.frames += 1
        self._socket.heard_ns = now_ns
        try:
            told = self._entry.read_frame(frame, now_ns)
        except (FrameRefused, NumberRefused) as error:
            return [FrameRejected(self._venue, now_ns, f"on the private stream: {error}"), *self._doubted(now_ns)]
        return self._pass_on(told, now_ns)

    def closed(self, socket: int, reason: str, now_ns: int) -> Sequence[StreamEvent]:
        """The socket ended, or could not be opened."""
        if socket != self._number:
            return []
        return self._gone(reason, now_ns + self._next_wait_ns(now_ns), now_ns)

    def woken(self, now_ns: int) -> Sequence[StreamEvent]:
        self._connect_if_due(now_ns)
        if not self._socket.is_open:
            return []
        if silence := self._socket.silence(now_ns):
            return self._end(silence, now_ns + self._next_wait_ns(now_ns), now_ns)
        if self._ready_by_ns is not None and self._ready_by_ns <= now_ns:
            reason = f"it was not ready within {READY_PATIENCE_NS // SECOND} s"
            return self._end(reason, now_ns + self._next_wait_ns(now_ns), now_ns)
        if self._socket.is_old(now_ns):
            return self._end("it is opened anew before the venue cuts it", now_ns, now_ns)
        if (keepalive := self._socket.take_keepalive(now_ns)) is not None:
            self._transmit(keepalive)
        self._send_due(now_ns)
        if self._live_again_ns is not None and self._live_again_ns <= now_ns:
            return self._now_live(now_ns)
        return []

    def wake_at_ns(self) -> int | None:
        return min(self._wakes(), default=None)

    def take_actions(self) -> list[SocketAction]:
        actions, self._actions = self._actions, []
        return actions

    def take_errands(self) -> list[Errand]:
        errands, self._errands = self._errands, []
        return errands

    def _wakes(self) -> Iterator[int]:
        if self._connect_at_ns is not None:
            yield self._connect_at_ns
        if self._socket.is_open:
            yield from self._socket.wakes()
            for at_ns in (self._socket.old_at_ns(), self._ready_by_ns, self._live_again_ns):
                if at_ns is not None:
                    yield at_ns

    def _connect_if_due(self, now_ns: int) -> None:
        if self._connect_at_ns is None or now_ns < self._connect_at_ns:
            return
        permitted_ns = self._permitted_at_ns(now_ns)
        if permitted_ns > now_ns:
            self._connect_at_ns = permitted_ns
            return
        self._connect_at_ns = None
        self._number = next(self._numbers)
        self._socket = Socket(self._habits)
        self.connects += 1
        self._actions.append(Connect(self._number, self._url))

    def _pass_on(self, told: Told, now_ns: int) -> Sequence[StreamEvent]:
        for send in told.sends:
            if (urgent := self._socket.say(send)) is not None:
                self._transmit(urgent)
        self._send_due(now_ns)
        self._errands += told.errands
        if told.refusal:
            return [*told.events, *self._refused(told, now_ns)]
        if told.is_ready and self._ready_by_ns is not None:
            self._ready_by_ns = None
            self._after_refusal.reset()
            return [*told.events, *self._now_live(now_ns)]
        return told.events

    def _refused(self, told: Told, now_ns: int) -> Sequence[StreamEvent]:
        """With something to send the venue is asked once more on the same socket."""
        if told.sends:
            self._ready_by_ns = now_ns + READY_PATIENCE_NS
            self._live_again_ns = None
            return self._not_live(told.refusal, now_ns)
        return self._end(told.refusal, now_ns + self._after_refusal.next_wait_ns(), now_ns)

    def _doubted(self, now_ns: int) -> Sequence[StreamEvent]:
        """What could not be read may have told of an order: until this is over orders are asked after."""
        if self._ready_by_ns is not None:
            return []
        self._live_again_ns = now_ns + DOUBT_NS
        return self._not_live("a frame could not be read", now_ns)

    def _now_live(self, now_ns: int) -> Sequence[StreamEvent]:
        self._live_again_ns = None
        self.is_live, self.reason, self._told_reason = True, "", ""
        return [AccountStream(self._venue, now_ns, is_live=True)]

    def _not_live(self, reason: str, now_ns: int) -> Sequence[StreamEvent]:
        """Told when it was live, and when there is another reason than was told before."""
        self.is_live, self.reason = False, reason
        if reason == self._told_reason:
            return []
        self._told_reason = reason
        return [AccountStream(self._venue, now_ns, is_live=False, reason=reason)]

    def _end(self, reason: str, connect_at_ns: int | None, now_ns: int) -> Sequence[StreamEvent]:
        if self._number is not None:
            self._actions.append(Hangup(self._number, reason))
        events = self._gone(reason, connect_at_ns, now_ns)
        self._connect_if_due(now_ns)
        return events

    def _gone(self, reason: str, connect_at_ns: int | None, now_ns: int) -> Sequence[StreamEvent]:
        self._number = None
        self._socket = Socket(self._habits)
        self._ready_by_ns = self._live_again_ns = None
        self._connect_at_ns = connect_at_ns
        return self._not_live(reason, now_ns)

    def _next_wait_ns(self, now_ns: int) -> int:
        if self._socket.is_open and now_ns - self._socket.opened_ns > PROVEN_NS:
            self._backoff.reset()
        return self._backoff.next_wait_ns()

    def _transmit(self, text: str) -> None:
        if self._number is not None:
            self._actions.append(Transmit(self._number, text))

    def _send_due(self, now_ns: int) -> None:
        for text in self._socket.take_due(now_ns):
            self._transmit(text)
