"""Order-side events for the journal's tests."""

from __future__ import annotations

from aggregator.domain.effects import ParentChanged
from aggregator.domain.instrument import Instrument, Side
from aggregator.domain.lifecycle import Word
from aggregator.domain.order import Fill, Liquidity
from aggregator.domain.order_events import About, ExecutionReport, FillReported, OrderEvent

BTC = Instrument.of("BTC", "USDT")
CHANGED = (ParentChanged("abc1230000000000"),)


def event(number: int) -> OrderEvent:
    """A report for even numbers, a fill for odd ones; each number gives another event."""
    child_id = f"abc123{number:010d}-0"
    if number % 2 == 0:
        return ExecutionReport("alpha", child_id, BTC, number, Word.WORKING, About.STREAM, "NEW", number)
    price, quantity = BTC.price("60000"), BTC.quantity("0.5")
    fill = Fill(
        "alpha", child_id, BTC, f"f{number}", Side.BUY, price, quantity, number, "USDT", Liquidity.MAKER, number, number
    )
    return FillReported(number, fill)
