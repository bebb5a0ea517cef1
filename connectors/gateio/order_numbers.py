"""Exact numbers out of Gate's messages about orders. What is absent, null or empty is no number."""

from __future__ import annotations

from msgspec import Raw

from aggregator.domain.errors import FrameRefused
from aggregator.domain.instrument import Instrument, Side
from aggregator.domain.numbers import parse_decimal
from aggregator.domain.order import ASSET_DECIMALS
from aggregator.domain.order_events import Balance
from connectors.gateio.order_wire import FillRow, HoldingRow, OrderRow
from connectors.gateio.wire import number

MS_DECIMALS = 6
"""Decimals that make ns of a time in ms."""


def executed_of(row: OrderRow, instrument: Instrument) -> int | None:
    """How much is filled in all, None where the row does not say. Raises FrameRefused for less than nothing."""
    quantity, left = number(row.quantity), number(row.left)
    if not quantity or not left:
        return None
    executed = instrument.quantity(quantity) - instrument.quantity(left)
    if executed < 0:
        raise FrameRefused(f"order {row.id}: {left.decode()} is left of {quantity.decode()}")
    return executed


def fee_of(row: FillRow, instrument: Instrument, side: Side) -> tuple[int, str]:
    """Money, less than nothing for a rebate, and its asset. A fee that GT or points pay is 0 in `fee`."""
    received = instrument.base if side is Side.BUY else instrument.quote
    asset = (row.fee_asset or received).upper()
    others = number(row.gt_fee) or b"0", number(row.point_fee) or b"0"
    for text, fee_asset in zip((number(row.fee), *others), (asset, "GT", "POINT"), strict=True):
        fee = signed_decimal(text, ASSET_DECIMALS)
        if fee:
            return fee, fee_asset
    return 0, asset


def balance_of(row: HoldingRow) -> Balance:
    free = parse_decimal(number(row.free), ASSET_DECIMALS)
    held = parse_decimal(number(row.locked) or number(row.frozen), ASSET_DECIMALS)
    return Balance(free + held, free)


def signed_decimal(text: bytes, decimals: int) -> int:
    return -parse_decimal(text[1:], decimals) if text.startswith(b"-") else parse_decimal(text, decimals)


def time_ns(time_ms: Raw) -> int:
    """0 where there is none."""
    return parse_decimal(number(time_ms) or b"0", MS_DECIMALS)
