"""From Binance's private answers and events to ours. The numbers are those of the rules in `order_entry`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from aggregator.domain.errors import FrameRefused
from aggregator.domain.instrument import Instrument, Side
from aggregator.domain.lifecycle import Word
from aggregator.domain.numbers import parse_decimal, parse_rate
from aggregator.domain.order import ASSET_DECIMALS, ChildTerms, Fill, Liquidity
from aggregator.domain.order_events import (
    About,
    Balance,
    BalancesRead,
    ExecutionReport,
    FeesRead,
    FillReported,
    OpenOrdersRead,
    VenueOrderEvent,
)
from connectors.binance import order_wire as wire
from connectors.binance.order_words import Complaint, word_of, word_of_complaint
from connectors.trading import Purpose

MS = 1_000_000

REASON_AT_MOST = 200
"""Characters of the venue's words that are kept."""

OUR_ID = re.compile(r"[0-9a-z]{16}-[0-9a-z]{3}", re.ASCII)

ABOUT = {Purpose.PLACE: About.PLACE, Purpose.CANCEL: About.CANCEL, Purpose.ORDER: About.ASK}


class Reports:
    """Made for one venue at one moment. Every method raises FrameRefused or NumberRefused for what cannot be."""

    def __init__(self, venue: str, now_ns: int) -> None:
        self._venue = venue
        self._now_ns = now_ns

    def complained(self, purpose: Purpose, terms: ChildTerms, complaint: Complaint) -> ExecutionReport:
        """Rule 5. `purpose` is one of those in ABOUT."""
        word = word_of_complaint(purpose, complaint)
        executed = 0 if word is Word.ENDED else None  # only what never executed is archived
        report = self._report(terms, ABOUT[purpose], word, complaint.raw, executed)
        return replace(report, reason=complaint.reason)

    def placed(self, terms: ChildTerms, placed: wire.Placed) -> Sequence[VenueOrderEvent]:
        """Rule 1. The fills come first, so that an order that has ended is complete at once."""
        _must_be_about(terms, placed.symbol, placed.client_id)
        order_id, time_ns = str(placed.order_id), placed.time_ms * MS
        fills = [self._filled(terms, row, order_id, Liquidity.TAKER, time_ns) for row in placed.fills]
        executed = None if placed.executed is None else terms.instrument.quantity(placed.executed)
        # Without a status it is a mere acknowledgement.
        word = word_of(placed.status) if placed.status else Word.RECEIVED
        report = self._report(terms, About.PLACE, word, placed.status, executed)
        return [*fills, replace(report, venue_order_id=order_id, venue_time_ns=time_ns)]

    def described(self, terms: ChildTerms, about: About, order: wire.Canceled | wire.Order) -> ExecutionReport:
        """Rule 7: what is executed is never inferred from the status."""
        # Rule 4. The answer to a question by our id may have the id of a later cancel.
        named = order.client_id if isinstance(order, wire.Canceled) else terms.child_id
        _must_be_about(terms, order.symbol, named)
        executed = terms.instrument.quantity(order.executed)
        report = self._report(terms, about, word_of(order.status), order.status, executed)
        return replace(report, venue_order_id=str(order.order_id), venue_time_ns=order.time_ms * MS)

    def fills(self, terms: ChildTerms, order_id: str, rows: Iterable[wire.PastFill]) -> Sequence[FillReported]:
        events = []
        for row in rows:
            if (row.symbol, str(row.order_id)) != (terms.symbol, order_id):
                raise FrameRefused(
                    f"asked for fills of order {order_id} in {terms.symbol}, got one of {row.order_id} in {row.symbol}"
                )
            liquidity = _liquidity(is_maker=row.is_maker)
            events.append(self._filled(terms, row, order_id, liquidity, row.time_ms * MS))
        return events

    def balances(self, rows: Iterable[wire.AssetBalance | wire.ChangedBalance], *, is_whole: bool) -> BalancesRead:
        balances = {}
        for row in rows:
            free, locked = money(row.free), money(row.locked)
            balances[row.asset.upper()] = Balance(free + locked, free)
        return BalancesRead(self._venue, self._now_ns, balances, is_whole)

    def open_orders(self, orders: Iterable[wire.Order]) -> OpenOrdersRead:
        ours, foreign = [], []
        for order in orders:
            if OUR_ID.fullmatch(order.client_id):
                ours.append(order.client_id)
            else:
                foreign.append(str(order.order_id))
        return OpenOrdersRead(self._venue, self._now_ns, tuple(ours), tuple(foreign))

    def fees(self, instrument: Instrument, told: wire.Commission) -> FeesRead:
        """Rule 11. Where buyers and sellers pay differently, what the dearer of them pays."""
        parts = told.standard, told.special, told.tax
        maker, taker, buyer, seller = (
            sum(parse_rate(getattr(rates, name)) for rates in parts) for name in ("maker", "taker", "buyer", "seller")
        )
        dearer = max(buyer, seller)
        return FeesRead(self._venue, self._now_ns, instrument, maker + dearer, taker + dearer)

    def order_event(self, instrument: Instrument, event: wire.OrderEvent) -> Sequence[VenueOrderEvent]:
        """The fill that it tells of, if it tells of one, and how the order stands."""
        child_id, order_id, time_ns = child_id_of(event), str(event.order_id), event.time_ms * MS
        executed = instrument.quantity(event.executed)
        reasons = [event.reason[:REASON_AT_MOST]] if event.reason != "NONE" else []
        reasons += [f"expiry reason {event.expiry}"[:REASON_AT_MOST]] if event.expiry is not None else []
        report = ExecutionReport(
            self._venue, child_id, instrument, self._now_ns, word_of(event.status), About.STREAM, event.status, executed
        )
        report = replace(report, venue_order_id=order_id, reason=", ".join(reasons), venue_time_ns=time_ns)
        if event.happened != "TRADE":
            return [report]
        return [FillReported(self._now_ns, self._fill_told(child_id, instrument, event), order_id), report]

    def _fill_told(self, child_id: str, instrument: Instrument, event: wire.OrderEvent) -> Fill:
        if event.trade_id < 0:
            raise FrameRefused(f"a fill of {child_id} without the id of its trade")
        return Fill(
            self._venue,
            child_id,
            instrument,
            str(event.trade_id),
            Side.BUY if event.side == "BUY" else Side.SELL,
            instrument.price(event.last_price),
            instrument.quantity(event.last_quantity),
            money(event.fee),
            _fee_asset(event.fee_asset, event.fee, instrument),
            _liquidity(is_maker=event.is_maker),
            event.time_ms * MS,
            self._now_ns,
        )

    def _filled(
        self, terms: ChildTerms, row: wire.PlacedFill | wire.PastFill, order_id: str, liquidity: Liquidity, time_ns: int
    ) -> FillReported:
        instrument = terms.instrument
        fill = Fill(
            self._venue,
            terms.child_id,
            instrument,
            str(row.trade_id),
            terms.side,
            instrument.price(row.price),
            instrument.quantity(row.quantity),
            money(row.fee),
            _fee_asset(row.fee_asset, row.fee, instrument),
            liquidity,
            time_ns,
            self._now_ns,
        )
        return FillReported(self._now_ns, fill, order_id)

    def _report(self, terms: ChildTerms, about: About, word: Word, raw: str, executed: int | None) -> ExecutionReport:
        return ExecutionReport(self._venue, terms.child_id, terms.instrument, self._now_ns, word, about, raw, executed)


def child_id_of(event: wire.OrderEvent) -> str:
    """Rule 4."""
    return event.original_client_id or event.client_id


def is_ours(client_id: str) -> bool:
    """Whether it looks like an id of ours."""
    return OUR_ID.fullmatch(client_id) is not None


def money(text: str) -> int:
    """On ASSET_DECIMALS; negative where the venue pays us. Raises NumberRefused."""
    if text.startswith("-"):
        return -parse_decimal(text[1:], ASSET_DECIMALS)
    return parse_decimal(text, ASSET_DECIMALS)


def _fee_asset(asset: str | None, fee: str, instrument: Instrument) -> str:
    """Rule 8. A fee of nothing may be without its asset."""
    if asset:
        return asset.upper()
    if money(fee):
        raise FrameRefused(f"a fee of {fee} without its asset")
    return instrument.quote


def _liquidity(*, is_maker: bool) -> Liquidity:
    return Liquidity.MAKER if is_maker else Liquidity.TAKER


def _must_be_about(terms: ChildTerms, symbol: str, client_id: str) -> None:
    if (symbol, client_id) != (terms.symbol, terms.child_id):
        raise FrameRefused(
            f"an answer about order {client_id[:40]!r} in {symbol[:40]!r}, not {terms.child_id} in {terms.symbol}"
        )
