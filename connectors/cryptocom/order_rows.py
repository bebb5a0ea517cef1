"""Crypto.com's rows of orders, fills and balances as our events, wherever they come from.

1. There is no word for partly filled, and an immediate order's rest ends as CANCELED: only the cumulative quantity says
   what was filled.
2. A fill's id is the same on the private stream and in the list of fills.
3. A fee is negative when we pay it, and in an asset of its own.
4. One wallet: what is free of an asset is its quantity less what is reserved. A quantity may be negative: a debt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from aggregator.domain.errors import FrameRefused
from aggregator.domain.instrument import Listing, Side
from aggregator.domain.lifecycle import Word
from aggregator.domain.order import ASSET_DECIMALS, Fill, Liquidity
from aggregator.domain.order_events import About, Balance, BalancesRead, ExecutionReport, FillReported
from connectors.cryptocom import refusals
from connectors.cryptocom.order_wire import FillRow, OrderRow, Wallet, signed_number
from connectors.cryptocom.wire import ABSENT, number
from connectors.trading import Listings

OURS = re.compile(r"[0-9a-z]{16}-[0-9a-z]{3}")

WORDS = {
    "NEW": Word.RECEIVED,
    "PENDING": Word.RECEIVED,
    "ACTIVE": Word.WORKING,
    "FILLED": Word.ENDED,
    "CANCELED": Word.ENDED,
    "EXPIRED": Word.ENDED,
    "REJECTED": Word.REJECTED,
}

NO_REASON = frozenset({"", "0", "None", "NO_ERROR"})


def is_ours(client_id: int | str | None) -> bool:
    return OURS.fullmatch(str(client_id)) is not None


class AccountRows:
    """Raises FrameRefused for a status or a symbol that nobody knows, NumberRefused for what is no number."""

    def __init__(self, venue: str, listings: Listings) -> None:
        self._venue = venue
        self._listings = listings

    def listing(self, symbol: str) -> Listing:
        listing = self._listings.get(symbol)
        if listing is None:
            raise FrameRefused(f"the venue tells of {symbol!r}, which is not listed here")
        return listing

    def report(self, row: OrderRow, about: About, now_ns: int) -> ExecutionReport:
        instrument = self.listing(row.symbol).instrument
        executed = instrument.quantity(number(row.executed))  # rule 1
        reason = str(row.reason)
        return ExecutionReport(
            self._venue,
            str(row.client_id),
            instrument,
            now_ns,
            _word(row, reason, executed),
            about,
            raw=row.status,
            executed=executed,
            venue_order_id=str(row.order_id),
            reason="" if reason in NO_REASON else refusals.told(reason),
            venue_time_ns=row.time_ns,
        )

    def fills(self, rows: Iterable[FillRow], now_ns: int, known: Mapping[str, str] | None = None) -> list[FillReported]:
        """Those of our orders. `known` are child ids by the venue's order id."""
        fills = []
        for row in rows:
            child_id = (known or {}).get(str(row.order_id), str(row.client_id))
            if is_ours(child_id):
                fills.append(FillReported(now_ns, self._fill(row, child_id, now_ns), str(row.order_id)))
        return fills

    def balances(self, wallets: Iterable[Wallet], now_ns: int, *, is_whole: bool) -> BalancesRead:
        balances = {}
        for row in (row for wallet in wallets for row in wallet.balances):
            total = signed_number(row.total, ASSET_DECIMALS)
            held = 0 if row.held == ABSENT else signed_number(row.held, ASSET_DECIMALS)
            balances[row.asset.upper()] = Balance(total, total - held)  # rule 4
        return BalancesRead(self._venue, now_ns, balances, is_whole)

    def _fill(self, row: FillRow, child_id: str, now_ns: int) -> Fill:
        instrument = self.listing(row.symbol).instrument
        return Fill(
            self._venue,
            child_id,
            instrument,
            str(row.fill_id),  # rule 2
            Side.BUY if row.side == "BUY" else Side.SELL,
            instrument.price(number(row.price)),
            instrument.quantity(number(row.quantity)),
            -signed_number(row.fee, ASSET_DECIMALS),  # rule 3
            row.fee_asset.upper(),
            Liquidity.MAKER if row.role == "MAKER" else Liquidity.TAKER,  # it may be left empty
            row.time_ns,
            now_ns,
        )


def _word(row: OrderRow, reason: str, executed: int) -> Word:
    word = WORDS.get(row.status)
    if word is None:
        raise FrameRefused(f"order {row.order_id} has the status {row.status!r}; known are {', '.join(WORDS)}")
    if word is Word.REJECTED and reason in refusals.CAME_TWICE:
        return Word.IN_DOUBT  # the second of this id was refused, the first may live
    if word is Word.REJECTED and executed:
        return Word.ENDED
    return word
