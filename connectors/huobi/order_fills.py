"""What HTX tells of a fill, as our `Fill`; the same whether an answer or the private socket tells it.

1. A fill's id is `trade-id`, in the socket's messages `tradeId`.
2. The fee is in what is received; a maker's rebate, which is negative, in what is given. Some answers do not say which.
3. When another asset (`ht`, points) pays the fee, the fee itself is 0, and that asset and how much of it stand beside.
"""

from __future__ import annotations

from aggregator.domain.instrument import Instrument, Side
from aggregator.domain.numbers import parse_decimal
from aggregator.domain.order import ASSET_DECIMALS, Fill, Liquidity
from aggregator.domain.order_events import FillReported
from connectors.huobi.order_wire import ClearingPush, Match, identity, plain

MS = 1_000_000

SPELLINGS = {"POINT": "HBPOINT"}
"""An asset that the socket calls otherwise than the answers do."""


def fill_of(
    venue: str, child_id: str, instrument: Instrument, side: Side, told: Match | ClearingPush, now_ns: int
) -> FillReported:
    """Raises FrameRefused, NumberRefused."""
    fee, asset = _fee(instrument, side, told)
    fill = Fill(
        venue,
        child_id,
        instrument,
        identity(told.trade_id, child_id),  # rule 1
        side,
        instrument.price(plain(told.price)),
        instrument.quantity(plain(told.quantity)),
        fee,
        asset,
        told.role if isinstance(told, Match) else (Liquidity.TAKER if told.is_taker else Liquidity.MAKER),
        told.time_ms * MS,
        now_ns,
    )
    return FillReported(now_ns, fill, identity(told.order_id, child_id))


def signed(text: str, decimals: int) -> int:
    """A decimal that may be negative, on that scale. Raises NumberRefused."""
    return -parse_decimal(text[1:], decimals) if text.startswith("-") else parse_decimal(text, decimals)


def _fee(instrument: Instrument, side: Side, told: Match | ClearingPush) -> tuple[int, str]:
    """On ASSET_DECIMALS, and its asset."""
    fee = signed(plain(told.fee) or "0", ASSET_DECIMALS)
    deducted = signed(plain(told.deducted) or "0", ASSET_DECIMALS)
    if deducted and not fee and told.deducted_currency:  # rule 3
        asset = told.deducted_currency.upper()
        return deducted, SPELLINGS.get(asset, asset)
    is_base = (side is Side.BUY) == (fee >= 0)  # rule 2
    return fee, (told.fee_currency or (instrument.base if is_base else instrument.quote)).upper()
