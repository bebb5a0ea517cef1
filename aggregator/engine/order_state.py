"""Everything that the order side knows: what a snapshot holds, and what a digest is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from aggregator.domain.instrument import Instrument, Side
from aggregator.domain.numbers import POWERS
from aggregator.domain.order import (
    ASSET_DECIMALS,
    ChildOrder,
    Fill,
    Money,
    ParentOrder,
    base_money,
    quote_money,
)
from aggregator.domain.order_events import Balance, RiskLimits
from aggregator.domain.plan import Holdings
from aggregator.domain.switches import VenueState, VenueSwitched
from aggregator.routing.execution import Conduct, is_immediate

ENDED_KEPT = 300
"""Parent orders of one account that have ended and are still shown. Older ones are in the journal only."""

IDS_KEPT = 20_000
"""Client order ids of older ones, which are still known to be taken."""


@dataclass(slots=True)
class VenueAccount:
    """Our account at one venue.

    `told` is what the venue said last, `expected` what it should say: its first word and our fills since. It takes no
    new child until it `is_reconciled`: balances and open orders were read since the start, and no child of ours there
    is in doubt.
    """

    told: dict[str, Balance] = field(default_factory=dict)
    expected: dict[str, Money] = field(default_factory=dict)
    is_stream_live: bool = False
    stream_reason: str = "not connected yet"
    are_balances_read: bool = False
    are_orders_read: bool = False
    is_reconciled: bool = False
    ask_at_ns: int = 0
    asked_ns: int = 0
    """When the account was last asked for."""
    moved_ns: int = 0
    """When one of our fills last moved it."""
    differences: int = 0
    conduct: Conduct = field(default_factory=lambda: Conduct([]))


@dataclass(slots=True)
class OrderState:
    """`open` and `ended` are parent orders by id. `taken_ids` leads from `account client_order_id` to the order id.
    `requests_ns` holds, by account, when it asked for orders in the last second. `fees` are the account's own tiers, by
    `venue instrument`, as ratios (maker, taker) on RATE_DECIMALS. `switches` say how far each venue is used; one that
    is not among them is used for whatever it can be used for."""

    instance: str = ""
    started_ns: int = 0
    last_id_ms: int = 0
    last_id_number: int = 0
    limits: Mapping[str, RiskLimits] = field(default_factory=dict)
    is_halted: bool = False
    halt_reason: str = ""
    halted_by: str = ""
    is_gate_open: bool = False
    open: dict[str, ParentOrder] = field(default_factory=dict)
    ended: dict[str, ParentOrder] = field(default_factory=dict)
    taken_ids: dict[str, str] = field(default_factory=dict)
    venues: dict[str, VenueAccount] = field(default_factory=dict)
    requests_ns: dict[str, list[int]] = field(default_factory=dict)
    fees: dict[str, tuple[int, int]] = field(default_factory=dict)
    switches: dict[str, VenueSwitched] = field(default_factory=dict)

    def parent(self, order_id: str) -> ParentOrder | None:
        return self.open.get(order_id) or self.ended.get(order_id)

    def is_off(self, venue: str) -> bool:
        switched = self.switches.get(venue)
        return switched is not None and switched.state is VenueState.OFF

    def live_children(self, venue: str | None = None) -> Iterator[ChildOrder]:
        for parent in self.open.values():
            for child in parent.children.values():
                if not child.has_ended and venue in (None, child.terms.venue):
                    yield child

    def holdings(self, venue: str, instrument: Instrument) -> Holdings:
        """What the account should have there, rounded down, less what its live children may still use."""
        account = self.venues[venue]
        base = base_money(instrument, 1)
        quote = quote_money(instrument, 1)
        held = reserved_money(self.live_children(venue))
        return Holdings(
            account.expected.get(instrument.base, 0) // base,
            account.expected.get(instrument.quote, 0) // quote,
            -(-held.get(instrument.base, 0) // base),
            -(-held.get(instrument.quote, 0) // quote),
        )

    def pending(self, venue: str, instrument: Instrument, side: Side) -> int:
        """What our live children there are about to take from one side of the book; one that rests takes nothing."""
        return sum(
            child.reserved
            for child in self.live_children(venue)
            if child.terms.instrument == instrument and child.terms.side is side and is_immediate(child)
        )

    def open_money(self, account: str, quote: str, but: str) -> int:
        """What the account's open orders in this quote asset, but for one, may still come to, on ASSET_DECIMALS."""
        total = 0
        for parent in self.open.values():
            instrument = parent.terms.instrument
            if parent.terms.account == account and instrument.quote == quote and parent.order_id != but:
                price = parent.limit_price or parent.bound_price or parent.arrival_mid or 0
                total += quote_money(instrument, price * max(0, parent.quantity - parent.filled))
        return total


def reserved_money(children: Iterator[ChildOrder]) -> dict[str, int]:
    """What children may still spend, by asset, on ASSET_DECIMALS."""
    held: dict[str, int] = {}
    for child in children:
        terms = child.terms
        instrument = terms.instrument
        if terms.side is Side.BUY:
            asset, money = instrument.quote, quote_money(instrument, child.reserved * terms.limit_price)
        else:
            asset, money = instrument.base, base_money(instrument, child.reserved)
        held[asset] = held.get(asset, 0) + money
    return held


def changes_of(fill: Fill) -> dict[str, int]:
    """What a fill does to the account's balances, its fee included, on ASSET_DECIMALS."""
    instrument = fill.instrument
    sign = 1 if fill.side is Side.BUY else -1
    changes = {
        instrument.base: sign * base_money(instrument, fill.quantity),
        instrument.quote: -sign * quote_money(instrument, fill.notional),
    }
    changes[fill.fee_asset] = changes.get(fill.fee_asset, 0) - fill.fee
    return changes


def taken(account: str, client_order_id: str) -> str:
    """The key of `taken_ids`."""
    return f"{account} {client_order_id}"


def notional_of(instrument: Instrument, money: int) -> int:
    """Money in the quote asset as a notional of this instrument, rounded down."""
    return money // POWERS[ASSET_DECIMALS - instrument.price_decimals - instrument.quantity_decimals]
