"""What stands between a simulated venue and its carrier, and breaks what passes, as it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from functools import partial
from heapq import heapify, heappop, heappush
from random import Random
from typing import TypeVar

from aggregator.domain.errors import AggregatorError
from connectors.simulation import fault_kinds, frame_faults
from connectors.simulation.account import SimulatedAccount
from connectors.simulation.contract import Hangup, HttpReply, HttpRequest, Outgoing, Ping, Push, SimulatedVenue
from connectors.simulation.exchange import SimulatedExchange
from connectors.simulation.fault_kinds import (
    DROPPED,
    Delay,
    Disconnect,
    Fault,
    HalfOpen,
    HttpStatus,
    Refuse,
    SlowSnapshot,
)
from connectors.simulation.frame_faults import FrameFault, Silent
from connectors.simulation.order_faults import NEED_AN_ACCOUNT, ORDER_FAULTS, OrderFault

FAULTS: dict[str, type[Fault]] = {
    "delay": fault_kinds.Delay,
    "loss": frame_faults.Loss,
    "duplicate": frame_faults.Duplicate,
    "reorder": frame_faults.Reorder,
    "gap": frame_faults.Gap,
    "frozen": frame_faults.Frozen,
    "silent": frame_faults.Silent,
    "half_open": fault_kinds.HalfOpen,
    "cut": frame_faults.Cut,
    "disconnect": fault_kinds.Disconnect,
    "refuse": fault_kinds.Refuse,
    "garbage": frame_faults.Garbage,
    "corrupt": frame_faults.Corrupt,
    "crossed": fault_kinds.Crossed,
    "http_status": fault_kinds.HttpStatus,
    "slow_snapshot": fault_kinds.SlowSnapshot,
    "delist": fault_kinds.Delist,
    "change_tick": fault_kinds.ChangeTick,
    "clock_skew": fault_kinds.ClockSkew,
    **ORDER_FAULTS,
}
"""Everything that can be made to go wrong, by name."""

Option = str | int | float | bool  # not money: a probability may be among them
Kind = TypeVar("Kind", bound=Fault)

_SWITCH = {"true": True, "false": False}
_READ: dict[object, Callable[[str], Option]] = {
    "int": int,
    "str": str,
    "float": float,  # not money: a probability
    "bool": lambda text: _SWITCH[text.lower()],
}
"""Options may come as text, as they do from a command line."""


class FaultRefused(AggregatorError, ValueError):
    """No such fault, or not with these options. Says which there are."""


def known_faults() -> dict[str, dict[str, object]]:
    """Each fault's description, and its options with their defaults."""
    return {
        name: {"description": " ".join((kind.__doc__ or "").split()), "options": _options(kind)}
        for name, kind in FAULTS.items()
    }


class Faults:
    """A SimulatedVenue like the one behind it; times are true here, and skewed behind if that is switched on.

    Besides the contract a carrier asks `refuses` before it accepts a connection, `answers_pings` when it gets a ping
    of the websocket protocol, and `reply_delay_ns` for each request. A Hangup with the code DROPPED means that
    the connection dies without a closing handshake; a Push just before it may be only the first part of a frame.
    After `switch_on` and `switch_off` `wake_at_ns` is to be asked again.

    One fault of a name is on for each symbol; switching it on again replaces it. An order is struck by one fault, the
    first that was switched on of those that it meets. Some need the account that trades at the venue.
    """

    def __init__(
        self,
        venue: SimulatedVenue,
        exchange: SimulatedExchange,
        seed: int = 0,
        account: SimulatedAccount | None = None,
    ) -> None:
        self.name = venue.name
        self._venue = venue
        self._exchange = exchange
        self._account = account
        self._kept_back: tuple[HttpRequest, int] | None = None
        self._random = Random(f"faults of {venue.name}, seed {seed}")
        self._faults: dict[tuple[str, str], Fault] = {}
        self._clients: set[int] = set()
        self._held: list[tuple[int, int, Push]] = []
        self._held_until: dict[tuple[int, str, bool], int] = {}
        self._held_ever = 0

    def switch_on(self, name: str, **options: Option) -> None:
        """Raises FaultRefused. Whatever else the options, `symbol` aims the fault and `until_ns` ends it."""
        kind = FAULTS.get(name)
        if kind is None:
            raise FaultRefused(f"there is no fault {name!r}; there are {', '.join(FAULTS)}")
        if name in NEED_AN_ACCOUNT and self._account is None:
            raise FaultRefused(f"{name} needs an account, and none trades on {self.name}")
        known = _options(kind)
        types = {field.name: field.type for field in fields(kind)}
        read: dict[str, Option] = {}
        for option, value in options.items():
            if option not in known:
                raise FaultRefused(f"{name} has no option {option!r}; it has {', '.join(known)}")
            try:
                read[option] = _READ[types[option]](str(value))
            except (ValueError, KeyError):
                raise FaultRefused(f"{option} of {name} is {value!r}; it must be of type {types[option]}") from None
        fault = kind(**read)  # type: ignore[arg-type]
        if fault.symbol and fault.symbol not in self._exchange:
            listed = ", ".join(self._exchange.symbols)
            raise FaultRefused(f"{fault.symbol!r} is not listed on {self.name}; {listed} are")
        self.switch_off(name, fault.symbol)
        try:
            fault.begin(self._exchange)
        except (LookupError, ValueError) as error:
            raise FaultRefused(f"{name}: {error.args[0]}") from None
        self._faults[name, fault.symbol] = fault

    def switch_off(self, name: str, symbol: str | None = None) -> None:
        """This fault for the symbol, or wherever it is on. One that is not on may be switched off."""
        if name not in FAULTS:
            raise FaultRefused(f"there is no fault {name!r}; there are {', '.join(FAULTS)}")
        for key in [key for key in self._faults if key[0] == name and symbol in (None, key[1])]:
            for push in self._faults.pop(key).end(self._exchange):
                self._hold(push, 0)

    def active(self) -> list[dict[str, Option]]:
        """The faults that are on, each with its name and options, and how often it struck if it counts that."""
        return [
            {
                "name": name,
                **{
                    field.name: getattr(fault, field.name)
                    for field in fields(fault)
                    if field.init or field.name == "struck"
                },
            }
            for (name, _), fault in self._faults.items()
        ]

    def refuses(self, now_ns: int) -> bool:
        self._retire(now_ns)
        return self._find(Refuse) is not None

    def answers_pings(self, now_ns: int) -> bool:
        self._retire(now_ns)
        return self._find(HalfOpen) is None

    def reply_delay_ns(self, request: HttpRequest, now_ns: int) -> int:
        """How long the reply to this, the request just made, is to be held back."""
        self._retire(now_ns)
        kept_ns = self._kept_back[1] if self._kept_back and self._kept_back[0] is request else 0
        return kept_ns + sum(fault.ns for fault in self._all(SlowSnapshot) if fault.meets(request))

    def connected(self, client: int, path: str, now_ns: int) -> list[Outgoing]:
        if self.refuses(now_ns):
            return [Hangup(client, DROPPED, "connections are refused")]
        self._clients.add(client)
        return self._out(self._venue.connected(client, path, self._skewed(now_ns)), now_ns)

    def received(self, client: int, frame: str | bytes, now_ns: int) -> list[Outgoing]:
        self._retire(now_ns)
        if client not in self._clients or self._find(HalfOpen):
            return []
        return self._out(self._venue.received(client, frame, self._skewed(now_ns)), now_ns)

    def disconnected(self, client: int, now_ns: int) -> None:
        self._retire(now_ns)
        if client in self._clients:
            self._leave(client, now_ns)

    def requested(self, request: HttpRequest, now_ns: int) -> HttpReply:
        self._retire(now_ns)
        for fault in self._all(HttpStatus):
            if fault.meets(request):
                return fault.reply()
        if self._find(OrderFault) and self.places_order(request):
            return self._placed(request, now_ns)
        return self._venue.requested(request, self._skewed(now_ns))

    def places_order(self, request: HttpRequest) -> bool:
        return self._venue.places_order(request)

    def woken(self, now_ns: int) -> list[Outgoing]:
        self._retire(now_ns)
        is_due = self._venue.wake_at_ns() <= self._skewed(now_ns)
        return self._out(self._venue.woken(self._skewed(now_ns)) if is_due else [], now_ns)

    def wake_at_ns(self) -> int:
        if self._clients and self._find(Disconnect) and not self._find(HalfOpen):
            return 0  # a dead connection cannot be closed, so that has to wait
        times = [fault.until_ns for fault in self._faults.values() if fault.until_ns]
        times.append(self._venue.wake_at_ns() - self._exchange.clock_offset_ns)
        if self._held:
            times.append(self._held[0][0])
        return min(times)

    def _placed(self, request: HttpRequest, now_ns: int) -> HttpReply:
        place = partial(self._venue.requested, request, self._skewed(now_ns))
        fault = next((fault for fault in self._all(OrderFault) if fault.meets(request, self._random)), None)
        if fault is None:
            return place()
        if self._account is not None:
            fault.arm(self._account)
        answer = fault.strike(place)
        if self._account is not None:
            self._account.spare_next()  # what was refused on the spot must not leave its fate to the next one
        self._kept_back = request, answer.after_ns
        return answer.reply

    def _out(self, items: Iterable[Outgoing], now_ns: int) -> list[Outgoing]:
        """What is left of what the venue says, and what was held until now."""
        if self._find(HalfOpen):
            self._held.clear()
            return []
        out: list[Outgoing] = []
        while self._held and self._held[0][0] <= now_ns:  # first: these are older than what the venue says now
            out.append(heappop(self._held)[2])
        for left in [left for item in items for left in self._struck(item)]:
            if left.client not in self._clients:
                continue
            if isinstance(left, Push) and (due_ns := self._due_ns(left, now_ns)) > now_ns:
                self._hold(left, due_ns)
                continue
            out.append(left)
            if isinstance(left, Hangup):
                self._leave(left.client, now_ns)
        closing = self._find(Disconnect)
        if closing is not None:
            for client in sorted(self._clients):
                out.append(Hangup(client, closing.code, "the venue closes every connection"))
                self._leave(client, now_ns)
            self.switch_off("disconnect")
        self._retire(now_ns)
        return out

    def _struck(self, item: Outgoing) -> list[Outgoing]:
        if not self._faults:
            return [item]
        if isinstance(item, Ping):
            return [] if any(not fault.symbol for fault in self._all(Silent)) else [item]
        items: list[Outgoing] = [item]
        for fault in self._all(FrameFault):
            items = [
                left
                for one in items
                for left in (
                    fault.strike(one, self._random)
                    if isinstance(one, Push) and fault.meets(one, self._random)
                    else [one]
                )
            ]
        return items

    def _due_ns(self, push: Push, now_ns: int) -> int:
        """Frames of one book keep their order, also when a delay was just lifted."""
        delays = (fault.ns for fault in self._all(Delay) if fault.aims_at(push))
        return max(now_ns + sum(delays), self._held_until.get(push.line, 0))

    def _hold(self, push: Push, due_ns: int) -> None:
        self._held_ever += 1
        due_ns = max(due_ns, self._held_until.get(push.line, 0))
        self._held_until[push.line] = due_ns
        heappush(self._held, (due_ns, self._held_ever, push))

    def _leave(self, client: int, now_ns: int) -> None:
        self._clients.discard(client)
        self._held = [held for held in self._held if held[2].client != client]
        heapify(self._held)
        self._held_until = {key: due_ns for key, due_ns in self._held_until.items() if key[0] != client}
        for fault in self._faults.values():
            fault.forget(client)
        self._venue.disconnected(client, self._skewed(now_ns))

    def _retire(self, now_ns: int) -> None:
        for (name, symbol), fault in list(self._faults.items()):
            if fault.is_spent or 0 < fault.until_ns <= now_ns:
                self.switch_off(name, symbol)

    def _skewed(self, now_ns: int) -> int:
        return now_ns + self._exchange.clock_offset_ns

    def _all(self, kind: type[Kind]) -> list[Kind]:
        return [fault for fault in self._faults.values() if isinstance(fault, kind)]

    def _find(self, kind: type[Kind]) -> Kind | None:
        return next(iter(self._all(kind)), None)


def _options(kind: type[Fault]) -> dict[str, object]:
    return {field.name: field.default for field in fields(kind) if field.init}
