"""Busan's own books over HTTP: the ledger, the tape of trades, the books' states, and partners' depth beside them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from aggregator.api.auth import Caller, Keys
from aggregator.api.order_lookup import account_of
from aggregator.api.orders import Ask, asked
from aggregator.api.problems import Code, refused
from aggregator.api.reading import answered, bad, decoded, instrument_named, parameters, unknown_instrument
from aggregator.api.routes import (
    CONVERTED,
    LEDGER,
    LEDGER_ENTRY,
    LOCAL_STATE,
    LOCAL_TRADES,
    Endpoint,
    guarded,
    watched,
)
from aggregator.api.schema import BookStateBody, LedgerBody, LedgerQuery, TradesQuery
from aggregator.books.consolidated import MergedSide, View
from aggregator.books.converted import converted
from aggregator.books.rates import Quoted, Rates
from aggregator.domain.effects import LocalHappened
from aggregator.domain.errors import NumberRefused
from aggregator.domain.instrument import Instrument
from aggregator.domain.local import Traded
from aggregator.domain.numbers import format_decimal, parse_decimal
from aggregator.domain.order import ASSET_DECIMALS
from aggregator.domain.order_events import BookTurned, LedgerAct, LedgerRequested
from aggregator.domain.plan import NET_DECIMALS
from aggregator.engine.engine import Engine
from aggregator.engine.premiums import Beside, Premiums
from aggregator.engine.views import Views

KEPT = 1000
DEPTH = 50

NEEDED: Mapping[LedgerAct, tuple[str, ...]] = {
    LedgerAct.OPEN: ("account",),
    LedgerAct.CUSTODY: ("asset", "money"),
    LedgerAct.CREDIT: ("account", "asset", "money"),
    LedgerAct.DEBIT: ("account", "asset", "money"),
    LedgerAct.TRANSFER: ("account", "asset", "money", "other"),
}
"""What each act is nothing without."""


class Tape:
    """The last trades of the local books, newest first."""

    def __init__(self) -> None:
        self.trades: deque[Traded] = deque(maxlen=KEPT)

    def note(self, watched: object) -> None:
        """For the dispatcher's watchers."""
        if isinstance(watched, LocalHappened) and isinstance(watched.event, Traded):
            self.trades.appendleft(watched.event)


class LocalRoutes:
    """`beside` names, by listing, the venues whose depth is shown with it, and in which instrument they have it."""

    def __init__(
        self,
        engine: Engine,
        views: Views,
        tape: Tape,
        rates: Rates,
        beside: Beside,
        keys: Keys,
        ask: Ask,
        clock_ns: Callable[[], int],
    ) -> None:
        self._engine = engine
        self._views = views
        self._tape = tape
        self._rates = rates
        self._beside = beside
        self._premiums = Premiums(engine, views, rates, beside)
        self._keys = keys
        self._ask = ask
        self._clock_ns = clock_ns

    def routes(self) -> list[Endpoint]:
        return [
            guarded(self._keys, LEDGER, self.ledger),
            guarded(self._keys, LEDGER_ENTRY, self.enter),
            guarded(self._keys, LOCAL_STATE, self.turn),
            watched(self._keys, LOCAL_TRADES, self.trades),
            watched(self._keys, CONVERTED, self.converted),
        ]

    async def ledger(self, request: web.Request, caller: Caller) -> web.Response:
        return answered(self._account(account_of(caller, parameters(request, LedgerQuery).account)))

    async def enter(self, request: web.Request, caller: Caller) -> web.Response:
        """An entry that would break the ledger is refused, and is on record all the same."""
        body = decoded(await request.read(), LedgerBody)
        missing = [name for name in NEEDED[body.act] if getattr(body, name) is None]
        if missing:
            text = f"{body.act} needs {', '.join(NEEDED[body.act])}; {', '.join(missing)} is missing"
            raise refused(Code.BAD_TERMS, text)
        money = _read_money(body.money or "0")
        account = body.account or "custody"
        event = LedgerRequested(
            self._clock_ns(), body.act, account, body.asset or "", money, caller.key, body.other or "", body.reference
        )
        await asked(self._ask, event)
        return answered(self._account(account))

    async def turn(self, request: web.Request, caller: Caller) -> web.Response:
        instrument = self._listed(request.match_info["symbol"])
        body = decoded(await request.read(), BookStateBody)
        event = BookTurned(self._clock_ns(), instrument, body.state, caller.key, body.reason.strip())
        await asked(self._ask, event)
        state = self._engine.orders.local.books[instrument.name].state
        return answered({"symbol": instrument.name, "state": state.value})

    async def trades(self, request: web.Request) -> web.Response:
        query = parameters(request, TradesQuery)
        name = None if query.symbol is None else self._listed(query.symbol).name
        found = [trade for trade in self._tape.trades if name in (None, trade.instrument.name)]
        return answered({"trades": [_trade_document(trade) for trade in found[: query.limit]]})

    async def converted(self, request: web.Request) -> web.Response:
        """Of a listing with nothing beside it both sides are empty, with the reason."""
        instrument, now_ns = self._listed(request.match_info["symbol"]), self._clock_ns()
        source, venues = self._beside.get(instrument.name, ("", frozenset()))
        if source not in self._engine.market.instruments:
            raise bad(f"no venue's depth is shown beside {instrument.name}; its listing names them under `display`")
        rules = self._engine.orders.local.books[instrument.name].rules
        depth = self._views.book(source, DEPTH, View.GROSS, venues)
        turned = converted(depth, instrument, self._rates, now_ns, rules.tick_at)
        premium = self._premiums.of(instrument.name, depth, now_ns)
        return answered(
            {
                "symbol": instrument.name,
                "source": source,
                "rates": [_rate_document(quoted) for quoted in self._rates.shown(now_ns)],
                "bids": _levels(turned.bids, instrument),
                "asks": _levels(turned.asks, instrument),
                "venues": sorted(turned.venues),
                "premium_bps": premium.premium_bps,
                "reason": turned.reason,
                "as_of_ns": now_ns,
            }
        )

    def premiums(self) -> dict[str, float | None]:
        """By listing with partners' depth beside it, the local middle over theirs, in bps: for metrics."""
        premiums = self._premiums.all(self._clock_ns())
        return {name: None if bps is None else float(bps) for name, _, _, bps, _ in premiums}

    def _listed(self, symbol: str) -> Instrument:
        """Raises Problem for what Busan does not list."""
        instrument = instrument_named(symbol, self._engine.market)
        if instrument.name not in self._engine.orders.local.books:
            raise unknown_instrument(instrument.name, self._engine.market)
        return instrument

    def _account(self, account: str) -> dict[str, Any]:
        ledger = self._engine.orders.ledger
        return {
            "account": account,
            "is_open": account in ledger.accounts,
            "balances": {
                asset: {
                    "total": _shown(ledger.total(account, asset)),
                    "held": _shown(ledger.held(account, asset)),
                    "free": _shown(ledger.free(account, asset)),
                }
                for asset in sorted(ledger.assets(account))
            },
        }


def _read_money(text: str) -> int:
    """On ASSET_DECIMALS. Raises Problem."""
    try:
        return parse_decimal(text, ASSET_DECIMALS)
    except NumberRefused as error:
        raise bad(f"money: {error}") from None


def _levels(side: MergedSide, instrument: Instrument) -> list[Any]:
    show, price = instrument.show_quantity, instrument.show_price
    return [
        [
            price(at),
            show(side.quantities[index]),
            {venue: show(share) for venue, share in side.venues_at(index).items()},
        ]
        for index, at in enumerate(side.prices)
    ]


def _trade_document(trade: Traded) -> dict[str, Any]:
    instrument = trade.instrument
    return {
        "trade_id": trade.trade_id,
        "symbol": instrument.name,
        "sequence": trade.sequence,
        "price": instrument.show_price(trade.price),
        "quantity": instrument.show_quantity(trade.quantity),
        "taker": trade.taker_side.value,
        "is_auction": trade.is_auction,
        "at_ns": trade.at_ns,
    }


def _rate_document(quoted: Quoted) -> dict[str, Any]:
    return {
        "source": quoted.source,
        "base": quoted.base,
        "quote": quoted.quote,
        "bid": format_decimal(quoted.bid, NET_DECIMALS),
        "ask": format_decimal(quoted.ask, NET_DECIMALS),
        "at_ns": quoted.at_ns,
        "reason": quoted.reason,
    }


def _shown(money: int) -> str:
    return format_decimal(money, ASSET_DECIMALS)
