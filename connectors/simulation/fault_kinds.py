"""What a fault is, and those that strike connections, requests or the venue itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from connectors.simulation.contract import HttpReply, HttpRequest, Push
from connectors.simulation.exchange import SimulatedExchange

SECOND = 1_000_000_000

DROPPED = 1006
"""The code of a connection that ended without a closing handshake."""


@dataclass
class Fault:
    """What every fault has: the book it is aimed at (all of them by default), and when it ends by itself (never).

    The fields of a fault are its options, and its docstring describes it.
    """

    symbol: str = ""
    until_ns: int = 0

    is_spent: ClassVar[bool] = False

    def begin(self, exchange: SimulatedExchange) -> None:
        """Raises LookupError or ValueError when it cannot be as its options say."""

    def end(self, exchange: SimulatedExchange) -> list[Push]:
        """Undo what `begin` did. Returns frames that were held back."""
        return []

    def forget(self, client: int) -> None:
        """The client is gone."""

    def aims_at(self, push: Push) -> bool:
        """Aimed at a book, it spares private frames, whatever symbol they tell of."""
        return not self.symbol or (push.symbol == self.symbol and not push.is_private)


@dataclass
class Delay(Fault):
    """Frames come `ns` later."""

    ns: int = SECOND


@dataclass
class Disconnect(Fault):
    """Every connection is closed, once, with `code`; DROPPED means without a closing handshake."""

    code: int = DROPPED


class Refuse(Fault):
    """New connections are refused."""


class HalfOpen(Fault):
    """Nothing goes out or comes in, nothing is closed, and pings are not answered."""


class Crossed(Fault):
    """The venue publishes a bid above the best ask."""

    def begin(self, exchange: SimulatedExchange) -> None:
        exchange.cross(self.symbol or None)

    def end(self, exchange: SimulatedExchange) -> list[Push]:
        exchange.uncross(self.symbol or None)
        return []


class Delist(Fault):
    """Trading in the symbol ends."""

    def begin(self, exchange: SimulatedExchange) -> None:
        exchange.delist(self.symbol)

    def end(self, exchange: SimulatedExchange) -> list[Push]:
        exchange.relist(self.symbol)
        return []


@dataclass
class ChangeTick(Fault):
    """The symbol trades on another tick, a decimal such as `0.05`."""

    tick: str = ""
    before: int = field(default=0, init=False)

    def begin(self, exchange: SimulatedExchange) -> None:
        listing = exchange.listing(self.symbol)
        self.before = listing.tick
        exchange.change_tick(self.symbol, listing.instrument.price(self.tick))

    def end(self, exchange: SimulatedExchange) -> list[Push]:
        exchange.change_tick(self.symbol, self.before)
        return []


@dataclass
class ClockSkew(Fault):
    """The venue's clock is `offset_ns` ahead, or behind if it is negative."""

    offset_ns: int = 30 * SECOND

    def begin(self, exchange: SimulatedExchange) -> None:
        exchange.clock_offset_ns = self.offset_ns

    def end(self, exchange: SimulatedExchange) -> list[Push]:
        exchange.clock_offset_ns = 0
        return []


@dataclass
class HttpFault(Fault):
    """Strikes requests. `path`: only those whose target has this in it; so has `symbol`, if one is given."""

    path: str = ""

    def meets(self, request: HttpRequest) -> bool:
        return self.path in request.target and self.symbol in request.target


@dataclass
class HttpStatus(HttpFault):
    """Requests are answered with `status`, and with Retry-After if `retry_after` seconds are given; `count` of them
    (0: all)."""

    status: int = 503
    retry_after: int = 0
    count: int = 0
    struck: int = field(default=0, init=False)

    @property
    def is_spent(self) -> bool:  # type: ignore[override]
        return 0 < self.count <= self.struck

    def begin(self, exchange: SimulatedExchange) -> None:
        if not 400 <= self.status <= 599:
            raise ValueError(f"status {self.status} is no failure; one from 400 to 599 is")

    def reply(self) -> HttpReply:
        self.struck += 1
        headers = {"Content-Type": "application/json"}
        if self.retry_after:
            headers["Retry-After"] = str(self.retry_after)
        return HttpReply(self.status, b'{"code":%d,"msg":"a fault was switched on"}' % self.status, headers)


@dataclass
class SlowSnapshot(HttpFault):
    """Replies to requests come `ns` later."""

    ns: int = 5 * SECOND
