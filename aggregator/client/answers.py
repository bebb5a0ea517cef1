"""What the service answers, as records. Prices, quantities and money are exact decimals, times ns since the Unix epoch.

`document` is the whole answer as it came, for what has no field here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from aggregator.domain.instrument import Side
from aggregator.domain.order import Liquidity, ParentState

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Level:
    """`venues` holds what each of them has of the quantity."""

    price: Decimal
    quantity: Decimal
    venues: Mapping[str, Decimal]

    @classmethod
    def of(cls, row: list[Any]) -> Level:
        price, quantity, venues = row
        return cls(Decimal(price), Decimal(quantity), {venue: Decimal(share) for venue, share in venues.items()})


@dataclass(frozen=True, slots=True)
class Book:
    """A consolidated book, each side best first. `oldest_ns` is when the least recently heard venue was last heard,
    `excluded` the venues that are out, with the reason. Across venues a gross book may be crossed."""

    symbol: str
    view: str
    as_of_ns: int
    oldest_ns: int
    is_crossed: bool
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    venues: tuple[str, ...]
    excluded: Mapping[str, str]

    @classmethod
    def of(cls, document: Document) -> Book:
        return cls(
            symbol=document["symbol"],
            view=document["view"],
            as_of_ns=document["as_of_ns"],
            oldest_ns=document["oldest_ns"],
            is_crossed=document["crossed"],
            bids=tuple(map(Level.of, document["bids"])),
            asks=tuple(map(Level.of, document["asks"])),
            venues=tuple(document["venues"]),
            excluded=document["excluded"],
        )


@dataclass(frozen=True, slots=True)
class Trade:
    """A public trade. `taker` is the side that crossed the spread."""

    venue: str
    trade_id: str
    price: Decimal
    quantity: Decimal
    taker: Side
    venue_time_ns: int
    received_ns: int

    @classmethod
    def of(cls, document: Document) -> Trade:
        return cls(
            venue=document["venue"],
            trade_id=document["trade_id"],
            price=Decimal(document["price"]),
            quantity=Decimal(document["quantity"]),
            taker=Side(document["taker"]),
            venue_time_ns=document["venue_time_ns"],
            received_ns=document["received_ns"],
        )


@dataclass(frozen=True, slots=True)
class Fill:
    """A fill of ours. `fill_id` is the service's own, and unique."""

    fill_id: str
    order_id: str
    venue: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    liquidity: Liquidity
    received_ns: int
    document: Document

    @classmethod
    def of(cls, document: Document) -> Fill:
        return cls(
            fill_id=document["id"],
            order_id=document["order_id"],
            venue=document["venue"],
            symbol=document["symbol"],
            side=Side(document["side"]),
            price=Decimal(document["price"]),
            quantity=Decimal(document["quantity"]),
            fee=Decimal(document["fee"]),
            fee_asset=document["fee_asset"],
            liquidity=Liquidity(document["liquidity"]),
            received_ns=document["received_ns"],
            document=document,
        )


@dataclass(frozen=True, slots=True)
class Order:
    """A parent order; its children are in the document."""

    order_id: str
    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    limit_price: Decimal | None
    state: ParentState
    filled: Decimal
    average_price: Decimal | None
    code: str
    reason: str
    updated_ns: int
    document: Document

    @property
    def is_open(self) -> bool:
        return self.state in (ParentState.WORKING, ParentState.CANCELING)

    @classmethod
    def of(cls, document: Document) -> Order:
        return cls(
            order_id=document["order_id"],
            client_order_id=document["client_order_id"],
            symbol=document["symbol"],
            side=Side(document["side"]),
            quantity=Decimal(document["quantity"]),
            limit_price=_decimal(document["limit_price"]),
            state=ParentState(document["state"]),
            filled=Decimal(document["filled"]),
            average_price=_decimal(document["average_price"]),
            code=document["code"],
            reason=document["reason"],
            updated_ns=document["updated_ns"],
            document=document,
        )


@dataclass(frozen=True, slots=True)
class Quote:
    """How an order would be split now. `shares` is each venue's part, `saving_bps` what the split saves against the
    best single venue, `excluded` the venues that are out; the rest of the explanation is in the document."""

    filled: Decimal
    average_price: Decimal | None
    net_price: Decimal | None
    shares: Mapping[str, Decimal]
    saving_bps: Decimal | None
    excluded: Mapping[str, str]
    document: Document

    @classmethod
    def of(cls, document: Document) -> Quote:
        return cls(
            filled=Decimal(document["filled_by_plan"]),
            average_price=_decimal(document["average_price"]),
            net_price=_decimal(document["net_price"]),
            shares={child["venue"]: Decimal(child["quantity"]) for child in document["children"]},
            saving_bps=_decimal(document["saving_bps"]),
            excluded=document["excluded"],
            document=document,
        )


@dataclass(frozen=True, slots=True)
class Balance:
    """`total` includes what open orders hold, `free` does not."""

    total: Decimal
    free: Decimal

    @classmethod
    def of(cls, document: Document) -> Balance:
        return cls(Decimal(document["total"]), Decimal(document["free"]))


@dataclass(frozen=True, slots=True)
class Halt:
    """Whether nothing new may leave, and why; `reconciling` are the venues that are not ready yet, with the reason."""

    is_halted: bool
    reason: str
    reconciling: Mapping[str, str]

    @classmethod
    def of(cls, document: Document) -> Halt:
        return cls(document["halted"], document["reason"], document["reconciling"])


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
