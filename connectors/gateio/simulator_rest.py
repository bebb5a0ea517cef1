"""Gate's REST answers, simulated, and how often they may be asked for.

1. Each endpoint may be asked 200 times in every 10 seconds, unless it has a limit of its own. The headers say how often
   it may be asked still, and when it may again.
2. A refusal is `{"label": ..., "message": ...}`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from aggregator.domain.book import Levels
from aggregator.domain.instrument import Instrument, Listing
from connectors.simulation.book import Picture
from connectors.simulation.contract import HttpReply, HttpRequest
from connectors.simulation.exchange import SimulatedExchange

MS = 1_000_000
SECOND = 1000 * MS

ROOT = "/api/v4"
WINDOW_NS = 10 * SECOND
PLACING = "POST", "/spot/orders"
DEEPEST = 1000
"""No snapshot has more levels a side."""


def printed_levels(levels: Levels, instrument: Instrument) -> str:
    """Plain decimals, without zeros at the end."""
    rows = [
        f'["{instrument.show_price(price)}","{instrument.show_quantity(quantity)}"]'
        for price, quantity in zip(*levels, strict=True)
    ]
    return f"[{','.join(rows)}]"


class Refusal(Exception):
    def __init__(self, label: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.label = label
        self.message = message
        self.status = status

    def reply(self) -> HttpReply:
        return HttpReply(self.status, _json({"label": self.label, "message": self.message}))


def too_many_requests() -> Refusal:
    return Refusal("TOO_MANY_REQUESTS", "Request Rate limit Exceeded (211)", 429)


class Call(NamedTuple):
    """`target` is the path with its query, as sent; `name` its last part, where the route has a name in its place. The
    names of `headers` are in small letters."""

    method: str
    target: str
    name: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    now_ns: int


class Limit(NamedTuple):
    """`units` in each `window_ns`, of everything that is counted under the same name."""

    name: str
    units: int
    window_ns: int = WINDOW_NS


class Meter:
    """Counts what is limited."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[int, int]] = {}

    def count(self, limit: Limit, now_ns: int) -> int:
        """Once more; returns how often it may come again in this window, less than 0 when this was too often."""
        window = now_ns // limit.window_ns
        counted_in, times = self._counts.get(limit.name, (window, 0))
        times = times + 1 if counted_in == window else 1
        self._counts[limit.name] = window, times
        return limit.units - times


class GateioRest:
    """`routes` may be added to, and `limits` of their own; each is a method and a path, in which `{}` stands for the
    last part. `pictured` is told of each snapshot when it is made; it is then served for `snapshot_kept_ns`."""

    def __init__(
        self,
        exchange: SimulatedExchange,
        requests_per_10s: int,
        snapshot_kept_ns: int,
        pictured: Callable[[str], None],
    ) -> None:
        self._exchange = exchange
        self._requests_per_10s = requests_per_10s
        self._snapshot_kept_ns = snapshot_kept_ns
        self._pictured = pictured
        self._pictures: dict[str, tuple[int, Picture]] = {}
        self.meter = Meter()
        self.limits: dict[tuple[str, str], Callable[[Call], Limit]] = {}
        self.routes: dict[tuple[str, str], Callable[[Call], bytes]] = {
            ("GET", "/spot/time"): lambda call: _json({"server_time": call.now_ns // MS}),
            ("GET", "/spot/currencies"): self._assets,
            ("GET", "/spot/currency_pairs"): self._markets,
            ("GET", "/spot/currency_pairs/{}"): self._market,
            ("GET", "/margin/currency_pairs"): lambda call: b"[]",
            ("GET", "/spot/order_book"): self._order_book,
        }

    def answer(self, request: HttpRequest, now_ns: int) -> HttpReply:
        url = urlsplit(request.target)
        path = url.path.removeprefix(ROOT)
        above, _, name = path.rpartition("/")
        route = next((key for key in (path, f"{above}/{{}}") if (request.method, key) in self.routes), "")
        if not route or path == url.path:
            return Refusal("NOT_FOUND", f"nothing is served at {url.path}", 404).reply()
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        headers = {key.lower(): value for key, value in request.headers.items()}
        call = Call(request.method, request.target, name, query, headers, request.body, now_ns)
        key = request.method, route
        limit = self.limits[key](call) if key in self.limits else Limit(" ".join(key), self._requests_per_10s)
        remaining = self.meter.count(limit, now_ns)
        try:
            if remaining < 0:
                raise too_many_requests()
            reply = HttpReply(201 if key == PLACING else 200, self.routes[key](call))
        except Refusal as refusal:
            reply = refusal.reply()
        return reply._replace(headers=_rate_headers(limit, remaining, now_ns))

    def _order_book(self, call: Call) -> bytes:
        """The id comes only if it was asked for."""
        symbol, limit = self._known(call.query.get("currency_pair", "")), call.query.get("limit", "10")
        if not (limit.isascii() and limit.isdigit() and 0 < len(limit) < 10 and int(limit)):
            raise Refusal("INVALID_PARAM_VALUE", f"Invalid request parameter `limit` value: {limit}")
        if call.query.get("interval", "0") != "0":
            raise Refusal("INVALID_PARAM_VALUE", "levels are not merged here: `interval` can only be 0")
        made_ns, picture = self._pictures.get(symbol, (call.now_ns, None))
        if picture is None or not 0 <= call.now_ns - made_ns < self._snapshot_kept_ns:
            picture, made_ns = self._exchange.book(symbol, DEEPEST), call.now_ns
            self._pictures[symbol] = made_ns, picture
            self._pictured(symbol)
        depth, instrument = min(int(limit), DEEPEST), self._exchange.listing(symbol).instrument
        bids, asks = (
            printed_levels(Levels(side.prices[:depth], side.quantities[:depth]), instrument)
            for side in (picture.bids, picture.asks)
        )
        number = f'"id":{picture.last_id},' if call.query.get("with_id") == "true" else ""
        times = f'"current":{call.now_ns // MS},"update":{made_ns // MS}'
        return f'{{{number}{times},"asks":{asks},"bids":{bids}}}'.encode()

    def _assets(self, call: Call) -> bytes:
        instruments = [self._exchange.listing(symbol).instrument for symbol in self._exchange.symbols]
        assets = dict.fromkeys(asset for instrument in instruments for asset in (instrument.base, instrument.quote))
        closed = ("delisted", "withdraw_disabled", "withdraw_delayed", "deposit_disabled", "trade_disabled")
        return _json([{"currency": asset, "name": asset} | dict.fromkeys(closed, False) for asset in assets])

    def _markets(self, call: Call) -> bytes:
        return _json([_row(self._exchange.listing(symbol)) for symbol in self._exchange.symbols])

    def _market(self, call: Call) -> bytes:
        return _json(_row(self._exchange.listing(self._known(call.name))))

    def _known(self, symbol: str) -> str:
        if not symbol:
            raise Refusal("MISSING_REQUIRED_PARAM", "Missing required parameter: currency_pair")
        if symbol not in self._exchange:
            raise Refusal("INVALID_CURRENCY_PAIR", f"Invalid currency pair {symbol}")
        return symbol


def _row(listing: Listing) -> dict[str, Any]:
    """Steps are stated as numbers of decimals, and a limit that there is not as null."""
    instrument = listing.instrument
    return {
        "id": listing.symbol,
        "base": instrument.base,
        "base_name": instrument.base,
        "quote": instrument.quote,
        "quote_name": instrument.quote,
        "fee": "0.2",
        "min_base_amount": instrument.show_quantity(listing.minimum_quantity) if listing.minimum_quantity else None,
        "min_quote_amount": instrument.show_notional(listing.minimum_notional) if listing.minimum_notional else None,
        "max_base_amount": None,
        "max_quote_amount": None,
        "amount_precision": _decimals(instrument.show_quantity(listing.lot)),
        "precision": _decimals(instrument.show_price(listing.tick)),
        "trade_status": "tradable" if listing.tradable else "untradable",
        "sell_start": 0,
        "buy_start": 0,
        "delisting_time": 0,
        "type": "normal",
        "st_tag": False,
    }


def _rate_headers(limit: Limit, remaining: int, now_ns: int) -> dict[str, str]:
    """Rule 1."""
    return {
        "X-Gate-RateLimit-Requests-Remain": str(max(0, remaining)),
        "X-Gate-RateLimit-Limit": str(limit.units),
        "X-Gate-RateLimit-Reset-Timestamp": str((now_ns // limit.window_ns + 1) * limit.window_ns // SECOND),
    }


def _decimals(number: str) -> int:
    return len(number.partition(".")[2])


def _json(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
