"""What trades and fills come to in the ledger: entries that sum to zero in each asset.

Money is on ASSET_DECIMALS. A fee lessens what its payer has, in the asset in which it is taken.
"""

from __future__ import annotations

from typing import NamedTuple

from aggregator.books.ledger_refusals import NotItsTrade
from aggregator.domain.instrument import Fees, Instrument, Side
from aggregator.domain.local import Traded
from aggregator.domain.numbers import RATE_ONE
from aggregator.domain.order import Fill, Money, base_money, quote_money
from aggregator.domain.plan import NET_ONE, Rate

CUSTODY, FEES, HOUSE = "custody", "fees", "house"


class Entry(NamedTuple):
    account: str
    asset: str
    change: Money


Posting = tuple[Entry, ...]


def trade_fees(trade: Traded, fees: Fees) -> tuple[Money, Money]:
    """What the maker and the taker of a local trade pay, in quote, rounded down."""
    notional = quote_money(trade.instrument, trade.price * trade.quantity)
    return notional * fees.maker // RATE_ONE, notional * fees.taker // RATE_ONE


def of_trade(trade: Traded, fees: Fees) -> Posting:
    """Both sides of a local trade, and the fees of both, in quote."""
    maker_fee, taker_fee = trade_fees(trade, fees)
    base, quote = trade.instrument.base, trade.instrument.quote
    quantity = base_money(trade.instrument, trade.quantity)
    notional = quote_money(trade.instrument, trade.price * trade.quantity)
    sign = 1 if trade.taker_side is Side.BUY else -1
    return (
        Entry(trade.taker_account, base, sign * quantity),
        Entry(trade.maker_account, base, -sign * quantity),
        Entry(trade.taker_account, quote, -sign * notional - taker_fee),
        Entry(trade.maker_account, quote, sign * notional - maker_fee),
        Entry(FEES, quote, maker_fee + taker_fee),
    )


def of_fill(fill: Fill, account: str, instrument: Instrument, rate: Rate | None = None) -> Posting:
    """A fill of the house at a partner venue, passed on at its own price to the client who asked for `instrument`.

    `rate` turns the fill's quote into the client's where they differ; raises NotItsTrade when it is not the one that is
    needed. The venue's fee is passed on where it was taken in base or quote; one in another asset stays the house's.
    """
    if fill.instrument.base != instrument.base:
        raise NotItsTrade(f"{account} asked for {instrument.name}, but {fill.instrument.name} was filled")
    sign = 1 if fill.side is Side.BUY else -1
    received = sign * base_money(fill.instrument, fill.quantity)
    paid = sign * quote_money(fill.instrument, fill.notional)
    if fill.fee_asset == fill.instrument.base:
        received -= fill.fee
    elif fill.fee_asset == fill.instrument.quote:
        paid += fill.fee
    paid = _converted(paid, fill.instrument.quote, instrument.quote, rate)
    return (
        Entry(account, instrument.base, received),
        Entry(HOUSE, instrument.base, -received),
        Entry(account, instrument.quote, -paid),
        Entry(HOUSE, instrument.quote, paid),
    )


def _converted(paid: Money, base: str, quote: str, rate: Rate | None) -> Money:
    """What is paid, or with a minus received, in another asset: rounded up, so that no client gains by rounding."""
    if base == quote:
        return paid
    if rate is None or (rate.base, rate.quote) != (base, quote):
        raise NotItsTrade(f"a fill in {base} is passed on in {quote} only with the rate between the two")
    return -(-paid * rate.value // NET_ONE)
