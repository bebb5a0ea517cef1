"""The faults that strike orders: requests to place one, and what the venue tells of them on private streams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from connectors.simulation.account import SimulatedAccount
from connectors.simulation.contract import Hangup, HttpReply, HttpRequest, Outgoing, Push
from connectors.simulation.exchange import SimulatedExchange
from connectors.simulation.fault_kinds import DROPPED, SECOND, Fault
from connectors.simulation.frame_faults import FrameFault

NO_REPLY = HttpReply(0, b"")

Place = Callable[[], HttpReply]
"""Has the venue carry the request out."""


class Answer(NamedTuple):
    """What the client gets in place of the venue's reply, and how much later."""

    reply: HttpReply
    after_ns: int = 0


@dataclass
class OrderFault(Fault):
    """Strikes requests to place an order; with `symbol` those whose target or body has it, as it is spelled there.
    `count`: only that many of them (0: all); `probability`: only so great a part of them."""

    count: int = 0
    probability: float = 1.0  # not money: a chance
    struck: int = field(default=0, init=False)

    @property
    def is_spent(self) -> bool:  # type: ignore[override]
        return 0 < self.count <= self.struck

    def meets(self, request: HttpRequest, random: Random) -> bool:
        if self.is_spent or not (self.symbol in request.target or self.symbol.encode() in request.body):
            return False
        if self.probability < 1 and random.random() >= self.probability:
            return False
        self.struck += 1
        return True

    def arm(self, account: SimulatedAccount) -> None:
        """Prepare the account for the order that comes now."""

    def strike(self, place: Place) -> Answer:
        return Answer(place())


@dataclass
class OrderTimeout(OrderFault):
    """Orders are placed, but the reply never comes: the connection ends after `ns`."""

    ns: int = 10 * SECOND

    def strike(self, place: Place) -> Answer:
        place()
        return Answer(NO_REPLY, self.ns)


class OrderReplyLost(OrderFault):
    """Orders are placed, and the connection is dropped at once in place of a reply."""

    def strike(self, place: Place) -> Answer:
        place()
        return Answer(NO_REPLY)


class OrderLost(OrderFault):
    """Orders never reach the venue, and the connection is dropped at once."""

    def strike(self, place: Place) -> Answer:
        return Answer(NO_REPLY)


@dataclass
class OrderRefused5xx(OrderFault):
    """Orders are not placed, and answered with `status` and a page of HTML, or nothing if `empty`."""

    status: int = 503
    empty: bool = False

    def begin(self, exchange: SimulatedExchange) -> None:
        if not 500 <= self.status <= 599:
            raise ValueError(f"status {self.status} is no failure of a server; one from 500 to 599 is")

    def strike(self, place: Place) -> Answer:
        page = b"" if self.empty else b"<html><body><h1>%d: a fault was switched on</h1></body></html>" % self.status
        return Answer(HttpReply(self.status, page, {"Content-Type": "text/html"}))


@dataclass
class Order5xx(OrderRefused5xx):
    """Orders are placed, but answered with `status` and a page of HTML, or nothing if `empty`."""

    status: int = 504

    def strike(self, place: Place) -> Answer:
        place()
        return super().strike(place)


@dataclass
class FillBeforeAck(OrderFault):
    """The reply to an order comes `ns` later, so that private frames come first."""

    ns: int = SECOND // 2

    def strike(self, place: Place) -> Answer:
        return Answer(place(), self.ns)


class RejectAfterAck(OrderFault):
    """Orders are acknowledged as open, and rejected a moment later with nothing filled."""

    def arm(self, account: SimulatedAccount) -> None:
        account.reject_next()


@dataclass
class LateOrder(OrderFault):
    """The connection is dropped at once, and orders are looked at, and found by questions, only `ns` later."""

    ns: int = 3 * SECOND

    def arm(self, account: SimulatedAccount) -> None:
        account.hold_next(self.ns)

    def strike(self, place: Place) -> Answer:
        place()
        return Answer(NO_REPLY)


class PrivateFault(FrameFault):
    """Strikes frames that tell of the account."""

    def aims_at(self, push: Push) -> bool:
        return push.is_private and self.symbol in ("", push.symbol)


class DoubleReport(PrivateFault):
    """Private frames come twice."""

    def strike(self, push: Push, random: Random) -> list[Outgoing]:
        return [push, push]


class PrivateSilent(PrivateFault):
    """No private frame comes out while the connection stands."""


@dataclass
class PrivateDisconnect(PrivateFault):
    """The connection is closed with `code` in place of the next private frame."""

    count: int = 1
    code: int = DROPPED

    def strike(self, push: Push, random: Random) -> list[Outgoing]:
        return [Hangup(push.client, self.code, "closed in place of a private frame")]


ORDER_FAULTS: dict[str, type[Fault]] = {
    "order_timeout": OrderTimeout,
    "order_5xx": Order5xx,
    "order_reply_lost": OrderReplyLost,
    "order_lost": OrderLost,
    "order_refused_5xx": OrderRefused5xx,
    "fill_before_ack": FillBeforeAck,
    "reject_after_ack": RejectAfterAck,
    "late_order": LateOrder,
    "double_report": DoubleReport,
    "private_silent": PrivateSilent,
    "private_disconnect": PrivateDisconnect,
}

NEED_AN_ACCOUNT = {"reject_after_ack", "late_order"}
