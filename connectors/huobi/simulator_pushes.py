"""What the simulated HTX pushes of an account: the life of its orders, its fills with their fees, its balances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from aggregator.domain.instrument import Instrument
from aggregator.domain.numbers import format_decimal
from aggregator.domain.order import ASSET_DECIMALS
from connectors.huobi.simulator_order_rows import MS, SPOT_ACCOUNT, kind_of, state_of
from connectors.simulation.account import Happening, Refusal, SimulatedFill, SimulatedOrder, Status

Event = dict[str, object]
Balances = Mapping[str, tuple[int, int]]
"""Free and held, by asset."""


class BalanceRow(NamedTuple):
    """`balance` is the total, `available` what is free of it."""

    asset: str
    parts: dict[str, int]


def creation(order: SimulatedOrder, instrument: Instrument) -> Event:
    created = {"orderStatus": "submitted", "orderCreateTime": order.created_ns // MS}
    return {"eventType": "creation"} | _life(order, instrument) | created


def order_events(happening: Happening, instrument: Instrument) -> Iterator[Event]:
    """Of the channel `orders`, after the creation."""
    order, fill, at_ns = happening
    state = state_of(order)
    reached: Event = {
        "remainAmt": instrument.show_quantity(order.remaining),
        "execAmt": instrument.show_quantity(order.filled),
    }
    if state == "rejected":
        yield _rejection(order, at_ns)
    elif fill is not None:
        yield {"eventType": "trade"} | _life(order, instrument) | reached | _trade(order, fill, instrument)
    elif "canceled" in state:
        ended = {"orderStatus": state, "lastActTime": at_ns // MS}
        yield {"eventType": "cancellation"} | _life(order, instrument) | reached | ended


def clearing_events(happening: Happening, instrument: Instrument) -> Iterator[Event]:
    """Of the channel `trade.clearing`."""
    order, fill, _ = happening
    state = state_of(order)
    common: Event = {
        "symbol": order.symbol,
        "accountId": SPOT_ACCOUNT,
        "orderId": order.order_id,
        "clientOrderId": order.client_id,
        "orderSide": order.side.value,
        "orderType": kind_of(order),
        "orderPrice": instrument.show_price(order.price),
        "orderSize": instrument.show_quantity(order.quantity),
        "orderCreateTime": order.created_ns // MS,
        "source": "spot-api",
    }
    if fill is not None:
        fee = {
            "transactFee": format_decimal(fill.fee, ASSET_DECIMALS),
            "feeCurrency": fill.fee_asset.lower(),
            "feeDeduct": "0",
            "feeDeductType": "",
        }
        yield {"eventType": "trade"} | common | _trade(order, fill, instrument) | fee
    elif "canceled" in state:
        left = {"orderStatus": state, "remainAmt": instrument.show_quantity(order.remaining)}
        yield {"eventType": "cancellation"} | common | left


def balance_changes(before: Balances, changed: Balances, mode: str) -> Iterator[BalanceRow]:
    """Mode 0 tells changed totals, mode 1 besides, in messages of their own, what is free, mode 2 both together."""
    for asset, (free, held) in changed.items():
        total, (old_free, old_held) = free + held, before.get(asset, (0, 0))
        if mode == "2":
            yield BalanceRow(asset, {"balance": total, "available": free})
            continue
        if total != old_free + old_held:
            yield BalanceRow(asset, {"balance": total})
        if mode == "1" and free != old_free:
            yield BalanceRow(asset, {"available": free})


def cause_of(happenings: list[Happening]) -> str:
    if any(happening.fill for happening in happenings):
        return "order.match"
    is_over = any(happening.order.status is not Status.OPEN for happening in happenings)
    return "order.cancel" if is_over else "order.place"


def _life(order: SimulatedOrder, instrument: Instrument) -> Event:
    return {
        "symbol": order.symbol,
        "accountId": SPOT_ACCOUNT,
        "orderId": order.order_id,
        "clientOrderId": order.client_id,
        "type": kind_of(order),
        "orderPrice": instrument.show_price(order.price),
        "orderSize": instrument.show_quantity(order.quantity),
        "orderSource": "spot-api",
    }


def _trade(order: SimulatedOrder, fill: SimulatedFill, instrument: Instrument) -> Event:
    return {
        "orderStatus": "partial-filled" if order.remaining else "filled",
        "tradePrice": instrument.show_price(fill.price),
        "tradeVolume": instrument.show_quantity(fill.quantity),
        "tradeId": fill.fill_id,
        "tradeTime": fill.time_ns // MS,
        "aggressor": not fill.is_maker,
    }


def _rejection(order: SimulatedOrder, at_ns: int) -> Event:
    """The venue documents it for conditional orders, and names none of its own ids in it."""
    return {
        "eventType": "trigger",
        "symbol": order.symbol,
        "clientOrderId": order.client_id,
        "orderSide": order.side.value,
        "orderStatus": "rejected",
        "errCode": 2003 if order.refusal is Refusal.NOT_TRADABLE else 2002,
        "errMessage": str(order.refusal),
        "lastActTime": at_ns // MS,
    }
