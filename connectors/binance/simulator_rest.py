"""Binance's REST answers, simulated, and what they cost.

1. Every request has a weight. An address that spends more than its budget in a minute gets 429 until the minute ends;
   one that goes on asking gets 418, for two minutes at first and twice as long each time.
2. A refusal is `{"code": ..., "msg": ...}` with a status of 400; a path that is not served is 404.
3. An order that is placed or canceled with success weighs nothing, one that fails what is documented.
4. An account may place so many orders in 10 s and in a day; each fill gives one back. Beyond that there is 429 with
   -1015.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from aggregator.domain.book import Levels
from aggregator.domain.instrument import Instrument, Listing
from aggregator.domain.numbers import POWERS
from connectors.simulation.book import Picture
from connectors.simulation.contract import HttpReply, HttpRequest
from connectors.simulation.exchange import SimulatedExchange

MS = 1_000_000
SECOND = 1000 * MS
MINUTE = 60 * SECOND

DECIMALS = 8
"""Every number is printed with so many."""

DEPTH_WEIGHTS = (100, 5), (500, 25), (1000, 50), (5000, 250)
"""What a snapshot weighs, up to each number of levels."""

WARNINGS = 5
"""Requests that are only refused while a 429 lasts, since they may have been on their way already."""
FIRST_BAN_NS = 2 * MINUTE
DAY = 24 * 60 * MINUTE
LONGEST_BAN_NS = 3 * DAY

TOO_MUCH, TOO_MANY_ORDERS, INVALID_LIMIT, MISSING, UNKNOWN_SYMBOL = -1003, -1015, -1100, -1102, -1121


@lru_cache(maxsize=1 << 16)
def printed(value: int, decimals: int) -> str:
    """A number on a scale of `decimals` as the venue prints it. Raises ValueError for one that is finer."""
    if decimals < DECIMALS:
        value, decimals = value * POWERS[DECIMALS - decimals], DECIMALS
    number, lost = divmod(value, POWERS[decimals - DECIMALS])
    if lost:
        raise ValueError(f"{value} on {decimals} decimals cannot be printed with {DECIMALS}")
    digits = f"{number:0{DECIMALS + 1}d}"
    return f"{digits[:-DECIMALS]}.{digits[-DECIMALS:]}"


def printed_levels(levels: Levels, instrument: Instrument) -> str:
    prices, quantities = instrument.price_decimals, instrument.quantity_decimals
    rows = [
        f'["{printed(price, prices)}","{printed(quantity, quantities)}"]'
        for price, quantity in zip(*levels, strict=True)
    ]
    return f"[{','.join(rows)}]"


class Refusal(Exception):
    def __init__(self, code: int, message: str, status: int = 400, retry_after_s: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.retry_after_s = retry_after_s

    def reply(self) -> HttpReply:
        headers = {"Retry-After": str(self.retry_after_s)} if self.retry_after_s else {}
        return HttpReply(self.status, as_json({"code": self.code, "msg": self.message}), headers)


class Weight:
    """What one address has spent in this minute, and whether it is served at all (rule 1)."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self.used = 0
        self._minute = 0
        self._refused_until_ns = 0
        self._warnings = 0
        self._bans = 0
        self._is_banned = False

    def spend(self, weight: int, now_ns: int) -> None:
        """Raises Refusal when the budget is overdrawn."""
        if now_ns < self._refused_until_ns:
            self._warnings += 1
            if self._warnings > WARNINGS and not self._is_banned:
                self._is_banned = True
                self._refused_until_ns = now_ns + min(FIRST_BAN_NS << self._bans, LONGEST_BAN_NS)
                self._bans += 1
            raise self._refusal(now_ns)
        if now_ns // MINUTE != self._minute:
            self._minute, self.used = now_ns // MINUTE, 0
        self.used += weight
        if self.used > self.per_minute:
            self._refused_until_ns, self._warnings, self._is_banned = (self._minute + 1) * MINUTE, 0, False
            raise self._refusal(now_ns)

    def _refusal(self, now_ns: int) -> Refusal:
        wait_s = -(-(self._refused_until_ns - now_ns) // SECOND)
        if self._is_banned:
            return Refusal(TOO_MUCH, f"Way too much request weight used; banned for {wait_s} s.", 418, wait_s)
        return Refusal(TOO_MUCH, f"More than {self.per_minute} request weight used in a minute.", 429, wait_s)


class OrderCounts:
    """Rule 4."""

    def __init__(self, per_10s: int, per_day: int) -> None:
        self._windows = {"10S": (10 * SECOND, per_10s), "1D": (DAY, per_day)}
        self._numbers = dict.fromkeys(self._windows, 0)
        self._used = dict.fromkeys(self._windows, 0)

    def check(self, now_ns: int) -> None:
        """Whether one more may be placed. Raises Refusal."""
        for name, (window_ns, limit) in self._windows.items():
            if now_ns // window_ns != self._numbers[name]:
                self._numbers[name], self._used[name] = now_ns // window_ns, 0
            if self._used[name] >= limit:
                wait_s = -(-(window_ns - now_ns % window_ns) // SECOND)
                text = f"Too many new orders; current limit is {limit} orders per {name}."
                raise Refusal(TOO_MANY_ORDERS, text, 429, wait_s)

    def placed(self) -> None:
        self._used = {name: used + 1 for name, used in self._used.items()}

    def filled(self) -> None:
        self._used = {name: max(0, used - 1) for name, used in self._used.items()}

    def headers(self) -> dict[str, str]:
        return {f"X-MBX-ORDER-COUNT-{name}": str(used) for name, used in self._used.items()}

    def limits(self) -> list[dict[str, Any]]:
        """As the venue tells them."""
        intervals = {"10S": ("SECOND", 10), "1D": ("DAY", 1)}
        return [
            _limit_row("ORDERS", *intervals[name], limit) | {"count": self._used[name]}
            for name, (_, limit) in self._windows.items()
        ]


class Call(NamedTuple):
    """`query_text` is the query as it was sent."""

    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    now_ns: int
    query_text: str = ""


class Route(NamedTuple):
    """`is_free` is one that weighs nothing when it succeeds; `headers` are those of its answers."""

    weight: Callable[[Call], int]
    answer: Callable[[Call], bytes]
    is_free: bool = False
    headers: Callable[[], Mapping[str, str]] = dict


class BinanceRest:
    """`routes` may be added to; each is a method and a path. A snapshot once made is served for `snapshot_kept_ns`."""

    def __init__(
        self, exchange: SimulatedExchange, weight_per_minute: int, snapshot_kept_ns: int, counts: OrderCounts
    ) -> None:
        self.weight = Weight(weight_per_minute)
        self._counts = counts
        self._exchange = exchange
        self._snapshot_kept_ns = snapshot_kept_ns
        self._pictures: dict[str, tuple[int, Picture]] = {}
        self.routes = {
            ("GET", "/api/v3/ping"): Route(lambda call: 1, lambda call: b"{}"),
            ("GET", "/api/v3/time"): Route(lambda call: 1, lambda call: as_json({"serverTime": call.now_ns // MS})),
            ("GET", "/api/v3/exchangeInfo"): Route(lambda call: 20, self._exchange_info),
            ("GET", "/api/v3/depth"): Route(_depth_weight, self._depth),
        }

    def answer(self, request: HttpRequest, now_ns: int) -> HttpReply:
        url = urlsplit(request.target)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        call = Call(query, request.headers, request.body, now_ns, url.query)
        route = self.routes.get((request.method, url.path))
        try:
            if route is None:
                raise Refusal(0, "Not found", 404)
            reply = HttpReply(200, self._paid_for(route, call), route.headers())
        except Refusal as refusal:
            reply = refusal.reply()
        return reply._replace(headers={**reply.headers, "X-MBX-USED-WEIGHT-1M": str(self.weight.used)})

    def _paid_for(self, route: Route, call: Call) -> bytes:
        """Rule 3."""
        weight = route.weight(call)
        self.weight.spend(0 if route.is_free else weight, call.now_ns)
        try:
            return route.answer(call)
        except Refusal:
            self.weight.used += weight if route.is_free else 0
            raise

    def _depth(self, call: Call) -> bytes:
        symbol, limit = self._known(call.query.get("symbol", "")), _limit(call)
        made_ns, picture = self._pictures.get(symbol, (call.now_ns, None))
        if picture is None or not 0 <= call.now_ns - made_ns < self._snapshot_kept_ns:
            picture = self._exchange.book(symbol)
            self._pictures[symbol] = call.now_ns, picture
        instrument = self._exchange.listing(symbol).instrument
        bids, asks = (
            printed_levels(Levels(side.prices[:limit], side.quantities[:limit]), instrument)
            for side in (picture.bids, picture.asks)
        )
        return f'{{"lastUpdateId":{picture.last_id},"bids":{bids},"asks":{asks}}}'.encode()

    def _exchange_info(self, call: Call) -> bytes:
        symbols = self._exchange.symbols
        if "symbol" in call.query:
            symbols = [call.query["symbol"]]
        elif "symbols" in call.query:
            try:
                symbols = [str(symbol) for symbol in json.loads(call.query["symbols"])]
            except (ValueError, TypeError):
                raise Refusal(INVALID_LIMIT, "Illegal characters found in parameter 'symbols'.") from None
        rows = [_symbol_row(self._exchange.listing(self._known(symbol))) for symbol in symbols]
        orders = [{name: value for name, value in row.items() if name != "count"} for row in self._counts.limits()]
        return as_json(
            {
                "timezone": "UTC",
                "serverTime": call.now_ns // MS,
                "rateLimits": [
                    _limit_row("REQUEST_WEIGHT", "MINUTE", 1, self.weight.per_minute),
                    *orders,
                    _limit_row("RAW_REQUESTS", "MINUTE", 5, 300_000),
                ],
                "exchangeFilters": [],
                "symbols": rows,
            }
        )

    def _known(self, symbol: str) -> str:
        if not symbol:
            raise Refusal(MISSING, "Mandatory parameter 'symbol' was not sent.")
        if symbol not in self._exchange:
            raise Refusal(UNKNOWN_SYMBOL, "Invalid symbol.")
        return symbol


def _limit_row(kind: str, interval: str, number: int, limit: int) -> dict[str, Any]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}


def _symbol_row(listing: Listing) -> dict[str, Any]:
    instrument = listing.instrument
    prices, quantities = instrument.price_decimals, instrument.quantity_decimals
    tick, lot = printed(listing.tick, prices), printed(listing.lot, quantities)
    least = printed(listing.minimum_quantity or listing.lot, quantities)
    notional = printed(listing.minimum_notional, prices + quantities)
    return {
        "symbol": listing.symbol,
        "status": "TRADING" if listing.tradable else "BREAK",
        "baseAsset": instrument.base,
        "baseAssetPrecision": DECIMALS,
        "quoteAsset": instrument.quote,
        "quotePrecision": DECIMALS,
        "quoteAssetPrecision": DECIMALS,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "10000000.00000000", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": least, "maxQty": "90000000.00000000", "stepSize": lot},
            {"filterType": "NOTIONAL", "minNotional": notional, "applyMinToMarket": True,
             "maxNotional": "9000000.00000000", "applyMaxToMarket": False, "avgPriceMins": 5},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
    }  # fmt: skip


def _limit(call: Call) -> int:
    text = call.query.get("limit", "100")
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text)):
        raise Refusal(INVALID_LIMIT, "Illegal characters found in parameter 'limit'.")
    return min(int(text), DEPTH_WEIGHTS[-1][0])


def _depth_weight(call: Call) -> int:
    limit = _limit(call)
    return next(weight for up_to, weight in DEPTH_WEIGHTS if limit <= up_to)


def as_json(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
