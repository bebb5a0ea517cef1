"""HTX's private socket: what it tells of our orders, our fills and our balances.

1. It is logged in to first, then subscribed to. Each is acknowledged with code 200, or refused with another.
2. It pings every 20 seconds in a message of its own.
3. `orders` tells each order's life in its order: it is the word on states. It tells trades too, but no fees.
4. `trade.clearing` tells fills with their fees, later, and in any order.
5. `accounts.update#2` tells both numbers of a balance that has changed, and all of them at first. A balance may lag
   behind the fill that changed it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from aggregator.domain.errors import FrameRefused
from aggregator.domain.instrument import Instrument
from aggregator.domain.numbers import parse_decimal
from aggregator.domain.order import ASSET_DECIMALS
from aggregator.domain.order_events import About, Balance, BalancesRead, ExecutionReport
from connectors.contract import Send
from connectors.huobi import order_wire as wire
from connectors.huobi import signing
from connectors.huobi.order_fills import MS, fill_of
from connectors.huobi.order_words import word_of
from connectors.trading import Credentials, Listings, Told

OUR_ID = re.compile(r"[0-9a-z]{16}-[0-9a-z]{3}")
SOCKET = "/ws/v2"
CHANNELS = ("orders#*", "trade.clearing#*#0", "accounts.update#2")


class HuobiPrivateStream:
    """`account` is the number of the spot account, empty until it is known."""

    def __init__(self, venue: str, listings: Listings, credentials: Credentials, host: str) -> None:
        self.account = ""
        self._venue = venue
        self._listings = listings
        self._credentials = credentials
        self._host = host
        self._unconfirmed: set[str] = set()

    def greet(self, now_ns: int) -> Sequence[Send]:
        self._unconfirmed = set(CHANNELS)
        return (Send(wire.auth(signing.login(self._credentials, self._host, SOCKET, now_ns))),)

    def read_frame(self, frame: str | bytes, now_ns: int) -> Told:
        message = wire.read_frame(frame)
        if message.action == "ping":
            return Told(sends=[Send(wire.pong(message), urgent=True)])  # rule 2
        if message.code not in (None, 200):
            asked = f"{message.action} {message.channel}".strip() or "the socket"
            return Told(refusal=f"{asked} was refused: {message.code}: {message.message}")
        if message.action == "req" and message.channel == "auth":
            return Told(sends=[Send(wire.subscribe(channel)) for channel in CHANNELS])  # rule 1
        if message.action == "sub":
            self._unconfirmed.discard(message.channel)
            return Told(is_ready=not self._unconfirmed)
        if message.action not in ("push", ""):
            raise FrameRefused(f"action {message.action!r} is none of ping, req, sub, push")
        return self._pushed(message, now_ns)

    def _pushed(self, message: wire.Frame, now_ns: int) -> Told:
        topic = message.channel.partition("#")[0]
        if topic == "orders":
            return self._order(wire.read_raw(wire.order_push, message.data, topic), now_ns)
        if topic == "trade.clearing":
            return self._fill(wire.read_raw(wire.clearing_push, message.data, topic), now_ns)
        if topic == "accounts.update":
            return self._balance(wire.read_raw(wire.account_push, message.data, topic), now_ns)
        raise FrameRefused(f"a push of {message.channel!r}, which was not subscribed to")

    def _order(self, push: wire.OrderPush, now_ns: int) -> Told:
        """Rule 3."""
        child_id = push.client_order_id or ""
        if not OUR_ID.fullmatch(child_id):
            return Told()
        instrument, executed = self._instrument(push.symbol), wire.plain(push.executed)
        report = ExecutionReport(
            self._venue,
            child_id,
            instrument,
            now_ns,
            word_of(push.state),
            About.STREAM,
            push.state,
            instrument.quantity(executed) if executed else None,
            wire.plain(push.order_id) and wire.identity(push.order_id, child_id),
            "" if push.error_code is None else f"{push.error_code}: {push.error_text}",
            (push.acted_ms or push.traded_ms or push.created_ms) * MS,
        )
        return Told([report])

    def _fill(self, push: wire.ClearingPush, now_ns: int) -> Told:
        """Rule 4."""
        child_id = push.client_order_id or ""
        if push.event != "trade" or not OUR_ID.fullmatch(child_id):
            return Told()
        return Told([fill_of(self._venue, child_id, self._instrument(push.symbol), push.side, push, now_ns)])

    def _balance(self, push: wire.AccountPush, now_ns: int) -> Told:
        """Rule 5. Until the account is known its balances are still to be asked for, so nothing is missed."""
        if push.type != "trade" or wire.plain(push.account_id) != self.account:
            return Told()
        total = parse_decimal(wire.plain(push.balance), ASSET_DECIMALS)
        free = parse_decimal(wire.plain(push.available), ASSET_DECIMALS)
        return Told([BalancesRead(self._venue, now_ns, {push.currency.upper(): Balance(total, free)}, is_whole=False)])

    def _instrument(self, symbol: str) -> Instrument:
        listing = self._listings.get(symbol)
        if listing is None:
            raise FrameRefused(f"an order of ours on {symbol!r}, which is not listed here")
        return listing.instrument
