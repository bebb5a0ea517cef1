"""What follows from the stream's messages: books and venues kept up to date, gaps noticed and mended. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple

from aggregator.client.answers import Book, Fill, Level, Order, Trade
from aggregator.client.errors import Refused

CHANNELS = ("book", "venues", "trades", "orders", "fills")

DEPTH_DEFAULT = 50


class Subscription(NamedTuple):
    """What is asked for: a channel, and of what. Books and trades need a symbol; `view` (gross or net) and `depth`
    are for books; `account` asks for orders and fills of another account, or of all with `*`, and is for keys that
    oversee."""

    channel: str
    symbol: str = ""
    view: str = ""
    depth: int = 0
    account: str = ""

    def normal(self) -> Subscription:
        """As the service names it in its messages."""
        symbol = self.symbol.upper().replace("-", "/")
        if self.channel != "book":
            return self._replace(symbol=symbol)
        return Subscription("book", symbol, self.view or "gross", self.depth or DEPTH_DEFAULT)

    def request(self, op: str) -> dict[str, Any]:
        return {"op": op, **{name: value for name, value in self._asdict().items() if value}}


@dataclass(frozen=True)
class Update:
    """A message of one subscription. `message` is all of it; the properties read what their channel has."""

    subscription: Subscription
    message: Mapping[str, Any]
    state: Book | dict[str, Any] | None = None

    @property
    def is_snapshot(self) -> bool:
        return bool(self.message["type"] == "snapshot")

    @property
    def sequence(self) -> int:
        return int(self.message["sequence"])

    @property
    def book(self) -> Book:
        """The book as it is now, of channel `book`."""
        if not isinstance(self.state, Book):
            raise self._has_none("book")
        return self.state

    @property
    def venues(self) -> Mapping[str, Any]:
        """All venues as they are now, of channel `venues`."""
        if not isinstance(self.state, dict):
            raise self._has_none("venues")
        return self.state

    @cached_property
    def trades(self) -> tuple[Trade, ...]:
        """The new ones, oldest first; of a snapshot the latest."""
        return tuple(map(Trade.of, self.message.get("trades", ())))

    @cached_property
    def orders(self) -> tuple[Order, ...]:
        """Those that have changed; of a snapshot all that are open, and the latest that are not."""
        return tuple(map(Order.of, self.message.get("orders", ())))

    @cached_property
    def fills(self) -> tuple[Fill, ...]:
        """The new ones, oldest first; of a snapshot the latest."""
        return tuple(map(Fill.of, self.message.get("fills", ())))

    def _has_none(self, channel: str) -> ValueError:
        return ValueError(f"an update of channel {self.subscription.channel} has no {channel}; subscribe to that")


class LocalBook:
    """A book kept from a snapshot and the changes that continue it."""

    def __init__(self, snapshot: Mapping[str, Any]) -> None:
        self._members = dict(snapshot)
        self._bids, self._asks = ({level.price: level for level in map(Level.of, snapshot[side])} for side in _SIDES)

    def apply(self, change: Mapping[str, Any]) -> None:
        self._members.update({name: value for name, value in change.items() if name not in _SIDES})
        for levels, side in ((self._bids, "bids"), (self._asks, "asks")):
            for level in map(Level.of, change.get(side, ())):
                if level.quantity:
                    levels[level.price] = level
                else:
                    levels.pop(level.price, None)

    def book(self) -> Book:
        members = self._members
        return Book(
            symbol=members["symbol"],
            view=members["view"],
            as_of_ns=members["as_of_ns"],
            oldest_ns=members["oldest_ns"],
            is_crossed=members["crossed"],
            bids=_best_first(self._bids, is_highest_first=True),
            asks=_best_first(self._asks, is_highest_first=False),
            venues=tuple(members["venues"]),
            excluded=members["excluded"],
        )


class Follower:
    """Subscriptions over one connection after another: what to send, and what comes of each message.

    A change that does not continue what came before is a gap: the subscription is asked for anew, and nothing of it is
    told until its snapshot is there.
    """

    def __init__(self, subscriptions: Sequence[Subscription]) -> None:
        unknown = {subscription.channel for subscription in subscriptions}.difference(CHANNELS)
        if unknown or not subscriptions:
            raise ValueError(f"subscribe to some of {', '.join(CHANNELS)}, not to {', '.join(unknown) or 'nothing'}")
        self._wanted = {subscription.normal(): subscription for subscription in subscriptions}
        self._sequences: dict[Subscription, int] = {}
        self._books: dict[Subscription, LocalBook] = {}
        self._venues: dict[str, Any] = {}
        self._to_send: list[dict[str, Any]] = []
        self.was_heard = False
        """Whether there ever was a snapshot."""
        self.gaps = 0

    def connected(self) -> None:
        """A new connection knows nothing of the one before."""
        self._sequences.clear()
        self._to_send = [subscription.request("subscribe") for subscription in self._wanted]

    def take_requests(self) -> list[dict[str, Any]]:
        """What is to be sent now."""
        requests, self._to_send = self._to_send, []
        return requests

    def received(self, message: Mapping[str, Any]) -> Update | None:
        """What a message brought, None when nothing that was asked for. Raises Refused."""
        kind = message.get("type")
        if kind == "error":
            raise Refused.by(message.get("status", 0), message)
        if kind not in ("snapshot", "change"):
            return None
        key = Subscription(*(message.get(name, empty) for name, empty in _MEMBERS.items()))
        if key not in self._wanted:
            key = key._replace(account="")  # one's own account is told, and needs not be asked for by name
        if key not in self._wanted:
            return None
        if kind == "change" and not self._continues(key, message["sequence"]):
            return None
        self.was_heard = True
        self._sequences[key] = message["sequence"]
        return Update(self._wanted[key], message, self._state(key, message))

    def _continues(self, key: Subscription, sequence: int) -> bool:
        before = self._sequences.get(key)
        if before is None:  # a snapshot is on its way
            return False
        if sequence == before + 1:
            return True
        self.gaps += 1
        del self._sequences[key]
        self._to_send.append(key.request("subscribe"))
        return False

    def _state(self, key: Subscription, message: Mapping[str, Any]) -> Book | dict[str, Any] | None:
        """What is kept of the channel, after this message."""
        if key.channel == "book":
            if message["type"] == "snapshot":
                self._books[key] = LocalBook(message)
            else:
                self._books[key].apply(message)
            return self._books[key].book()
        if key.channel == "venues":
            self._venues = merged({} if message["type"] == "snapshot" else self._venues, message["venues"])
            return self._venues
        return None


def merged(before: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """`before` with the members of `change`, as deep as both go."""
    after = dict(before)
    for name, value in change.items():
        old = after.get(name)
        after[name] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return after


_MEMBERS: dict[str, Any] = {"channel": "", "symbol": "", "view": "", "depth": 0, "account": ""}
"""Those of a message that say whose it is."""

_SIDES = ("bids", "asks")


def _best_first(levels: Mapping[Decimal, Level], *, is_highest_first: bool) -> tuple[Level, ...]:
    return tuple(levels[price] for price in sorted(levels, reverse=is_highest_first))
