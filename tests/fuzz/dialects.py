"""How each venue writes what a miniature of it has to tell. One class for each connector, named by its folder."""

import gzip
import json
from collections.abc import Iterable, Mapping
from random import Random
from typing import Any, NamedTuple, Protocol
from zlib import crc32

from aggregator.domain.instrument import Instrument
from tests.twins.feed import State, Update

DECIMALS = 3
ASSETS = ("BTC", "ETH", "XRP")
TIME_MS = 1_780_000_000_000


class Sample(NamedTuple):
    """One thing that a venue says: a frame, or with a path the reply to a request. `text` is what it says before it
    is packed."""

    text: str
    path: str = ""
    is_gzipped: bool = False

    @property
    def payload(self) -> str | bytes:
        if self.is_gzipped:
            return gzip.compress(self.text.encode(), 1, mtime=0)
        return self.text.encode() if self.path else self.text


class Dialect(Protocol):
    jumps: bool
    """Whether ids jump."""

    def symbol(self, base: str) -> str: ...

    def whole(self, symbol: str, at: int, state: State) -> Sample:
        """The whole book, as it comes when it is asked for."""
        ...

    def update(self, symbol: str, update: Update, state: State) -> Sample:
        """A change that leads to this state."""
        ...

    def others(self, symbol: str) -> list[Sample]:
        """Whatever else is said, about this symbol or about none; of a book only what is of no use."""
        ...

    def untrue(self, symbol: str) -> list[Sample]:
        """Forms of a book whose content is made up: to be broken only."""
        ...


def instrument(base: str) -> Instrument:
    return Instrument(f"{base}/USDT", base, "USDT", price_decimals=DECIMALS, quantity_decimals=DECIMALS)


SHOWN = instrument("ANY")


def quoted(side: Mapping[int, int]) -> list[list[str]]:
    return [[SHOWN.show_price(price), SHOWN.show_quantity(quantity)] for price, quantity in side.items()]


def with_orders(side: Mapping[int, int]) -> list[list[str]]:
    return [[*level, "1"] for level in quoted(side)]


def bare(side: Mapping[int, int]) -> list[list[float]]:
    return [[price / 1000, quantity / 1000] for price, quantity in side.items()]


def written(message: Any, path: str = "", *, is_gzipped: bool = False) -> Sample:
    return Sample(json.dumps(message, separators=(",", ":")), path, is_gzipped)


class Binance:
    jumps = False

    def symbol(self, base: str) -> str:
        return f"{base}USDT"

    def whole(self, symbol: str, at: int, state: State) -> Sample:
        body = {"lastUpdateId": at, "bids": quoted(state.bids), "asks": quoted(state.asks)}
        return written(body, f"/api/v3/depth?symbol={symbol}&limit=1000")

    def update(self, symbol: str, update: Update, state: State) -> Sample:
        ids = {"U": update.previous + 1, "u": update.last}
        sides = {"b": quoted(update.bids), "a": quoted(update.asks)}
        return self._push(symbol, "depth@100ms", {"e": "depthUpdate", "E": TIME_MS, "s": symbol, **ids, **sides})

    def others(self, symbol: str) -> list[Sample]:
        trade = {"e": "trade", "E": 5, "s": symbol, "t": 7, "p": "1.5", "q": "0.01", "T": 3, "m": False, "M": True}
        quote = {"u": 107, "s": symbol, "b": "60000.1", "B": "0.52", "a": "60000.20", "A": "1.1"}
        rules = [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "tickSize": "0.01000000"},
            {"filterType": "LOT_SIZE", "minQty": "0.001", "stepSize": "0.001"},
            {"filterType": "NOTIONAL", "minNotional": "5.0"},
        ]
        row = {"symbol": symbol, "status": "TRADING", "baseAsset": symbol[:-4], "quoteAsset": "USDT", "filters": rules}
        return [
            self._push(symbol, "trade", trade),
            self._push(symbol, "bookTicker", quote),
            written({"result": None, "id": 1}),
            written({"code": 2, "msg": "Invalid request", "id": 4}),
            written({"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": TIME_MS}}),
            written({"symbols": [row, row | {"symbol": "NEWUSDT", "baseAsset": "NEW"}]}, "/api/v3/exchangeInfo"),
            written({"serverTime": TIME_MS}, "/api/v3/time"),
        ]

    def untrue(self, symbol: str) -> list[Sample]:
        levels = {"lastUpdateId": 9, "bids": [["1.1", "1"]], "asks": [["1.2", "1"]]}
        return [self._push(symbol, "depth20@100ms", levels)]

    def _push(self, symbol: str, channel: str, fields: Mapping[str, Any]) -> Sample:
        return written({"stream": f"{symbol.lower()}@{channel}", "data": fields})


class Huobi:
    jumps = True

    def symbol(self, base: str) -> str:
        return f"{base.lower()}usdt"

    def whole(self, symbol: str, at: int, state: State) -> Sample:
        book = {"seqNum": at, "bids": bare(state.bids), "asks": bare(state.asks)}
        return self._packed({"id": "r1", "rep": f"market.{symbol}.mbp.150", "status": "ok", "data": book})

    def update(self, symbol: str, update: Update, state: State) -> Sample:
        ids = {"seqNum": update.last, "prevSeqNum": update.previous}
        tick = {**ids, "bids": bare(update.bids), "asks": bare(update.asks)}
        return self._packed({"ch": f"market.{symbol}.mbp.150", "ts": TIME_MS, "tick": tick})

    def others(self, symbol: str) -> list[Sample]:
        topic = f"market.{symbol}"
        fill = {"id": 10**26, "tradeId": 7, "ts": 3, "amount": 0.01, "price": 9.121e-7, "direction": "buy"}
        quote = {"symbol": symbol, "quoteTime": 5, "bid": 1.1, "bidSize": 0.4, "ask": 1.2, "askSize": 1.1, "seqId": 7}
        row = {"symbol": symbol, "state": "online", "bc": symbol[:-4], "qc": "usdt", "pp": 2, "ap": 3, "at": "enabled"}
        return [
            self._packed({"ping": TIME_MS}),
            self._packed({"id": "s1", "status": "ok", "subbed": f"{topic}.mbp.150", "ts": TIME_MS}),
            self._packed(
                {"status": "error", "err-code": "bad-request", "err-msg": f"invalid topic {topic}.x", "id": "s"}
            ),
            self._packed({"ch": f"{topic}.trade.detail", "ts": 5, "tick": {"id": 1, "ts": 3, "data": [fill]}}),
            self._packed({"ch": f"{topic}.bbo", "ts": 5, "tick": quote}),
            self._packed({"rep": f"{topic}.mbp.150", "status": "ok", "id": "r", "data": None}),
            written({"ping": TIME_MS}),
            written({"status": "ok", "data": [row]}, "/v1/settings/common/market-symbols"),
        ]

    def untrue(self, symbol: str) -> list[Sample]:
        book = {"bids": [[1.1, 2]], "asks": [[1.2, 3]]}
        step0, refresh = book | {"version": 5, "ts": 5}, book | {"seqNum": 5}
        return [
            self._packed({"ch": f"market.{symbol}.depth.step0", "ts": 5, "tick": step0}),
            self._packed({"ch": f"market.{symbol}.mbp.refresh.20", "ts": 5, "tick": refresh}),
        ]

    def _packed(self, message: Any) -> Sample:
        return written(message, is_gzipped=True)


class Cryptocom:
    jumps = True

    def symbol(self, base: str) -> str:
        return f"{base}_USDT"

    def whole(self, symbol: str, at: int, state: State) -> Sample:
        book = {"asks": with_orders(state.asks), "bids": with_orders(state.bids), "t": TIME_MS, "tt": 1, "u": at}
        return self._push(symbol, "book", f"book.{symbol}.50", [book])

    def update(self, symbol: str, update: Update, state: State) -> Sample:
        change = {"asks": with_orders(update.asks), "bids": with_orders(update.bids)}
        told = {"update": change, "t": TIME_MS, "tt": 1, "u": update.last, "pu": update.previous, "cs": -80744}
        return self._push(symbol, "book.update", f"book.{symbol}.50", [told])

    def others(self, symbol: str) -> list[Sample]:
        fill = {"d": "17", "t": 5, "tn": "5000000", "p": "6.2", "q": "0.01", "s": "BUY", "i": symbol, "m": "9"}
        quote = {"i": symbol, "b": "60.1", "bs": "0.5", "k": "60.2", "ks": "1.1", "a": "60.15", "t": 5}
        row = {"symbol": symbol, "inst_type": "CCY_PAIR", "base_ccy": symbol[:-5], "quote_ccy": "USDT"}
        rules = {"price_tick_size": "0.01", "qty_tick_size": "0.001", "tradable": True}
        return [
            written({"id": 1587523073344, "method": "public/heartbeat", "code": 0}),
            written({"id": 1, "method": "subscribe", "code": 0, "channel": f"book.{symbol}.50"}),
            written(
                {"id": 2, "method": "subscribe", "code": 40003, "message": "Invalid", "channel": f"book.{symbol}.50"}
            ),
            written({"id": -1, "method": "ERROR", "code": 10004, "original": "x"}),
            self._push(symbol, "trade", f"trade.{symbol}", [fill, fill | {"d": "16"}]),
            self._push(symbol, "ticker", f"ticker.{symbol}", [quote]),
            written({"id": 1, "code": 0, "result": {"data": [row | rules]}}, "/exchange/v1/public/get-instruments"),
        ]

    def untrue(self, symbol: str) -> list[Sample]:
        picture = {"asks": [[1.2, 1, 1]], "bids": [[1.1, 1, 1]], "t": 5}
        return [self._push(symbol, "book", f"book.{symbol}.50", [picture])]

    def _push(self, symbol: str, channel: str, subscription: str, rows: list[Any]) -> Sample:
        result = {
            "instrument_name": symbol,
            "subscription": subscription,
            "channel": channel,
            "depth": 50,
            "data": rows,
        }
        return written({"id": -1, "method": "subscribe", "code": 0, "result": result})


class Gateio:
    """Both kinds of book in one: the whole one comes as a full push."""

    jumps = False

    def symbol(self, base: str) -> str:
        return f"{base}_USDT"

    def whole(self, symbol: str, at: int, state: State) -> Sample:
        book = {"t": TIME_MS, "full": True, "s": f"ob.{symbol}.50", "u": at}
        return self._push("spot.obu", book | {"b": quoted(state.bids), "a": quoted(state.asks)})

    def update(self, symbol: str, update: Update, state: State) -> Sample:
        ids = {"s": f"ob.{symbol}.50", "U": update.previous + 1, "u": update.last}
        return self._push("spot.obu", {"t": 5, **ids, "b": quoted(update.bids), "a": quoted(update.asks)})

    def others(self, symbol: str) -> list[Sample]:
        fill = {"id": 8, "create_time": 5, "create_time_ms": "5.2642", "side": "sell", "currency_pair": symbol}
        quote = {"t": 5, "u": 7, "s": symbol, "b": "60.1", "B": "0.4", "a": "60.2", "A": "1.1"}
        row = {"id": symbol, "base": symbol[:-5], "quote": "USDT", "precision": 2, "amount_precision": 3}
        answer = {"time": 5, "id": 1, "channel": "spot.obu", "event": "subscribe", "payload": [f"ob.{symbol}.50"]}
        refusal = {"error": {"code": 2, "message": f"unknown currency pair {symbol}"}, "result": {"status": "fail"}}
        return [
            written(answer | {"error": None, "result": {"status": "success"}}),
            written(answer | refusal),
            written({"time": 5, "channel": "spot.pong", "event": "", "result": None}),
            written({"type": "upgrade", "msg": "reconnect soon"}),
            self._push("spot.trades", fill | {"amount": "0.01", "price": "60.1", "range": "1-1"}),
            self._push("spot.book_ticker", quote),
            written([row | {"min_base_amount": "0.001", "min_quote_amount": None}], "/api/v4/spot/currency_pairs"),
            written({"server_time": TIME_MS}, "/api/v4/spot/time"),
        ]

    def untrue(self, symbol: str) -> list[Sample]:
        base = {"id": 7, "current": 5, "update": 5, "asks": [["1.2", "1"]], "bids": [["1.1", "1"]]}
        change = {"t": 5, "e": "depthUpdate", "E": 5, "s": symbol, "l": "100", "U": 8, "u": 9, "b": [["1.1", "0"]]}
        return [
            written(base, f"/api/v4/spot/order_book?currency_pair={symbol}&limit=100&with_id=true"),
            self._push("spot.order_book_update", change | {"a": []}),
            self._push("spot.order_book_update", change | {"a": [], "full": True}),
        ]

    def _push(self, channel: str, result: Mapping[str, Any]) -> Sample:
        return written({"time": 5, "time_ms": 5150, "channel": channel, "event": "update", "result": result})


class Ftx:
    jumps = True

    def symbol(self, base: str) -> str:
        return f"{base}/USDT"

    def whole(self, symbol: str, at: int, state: State) -> Sample:
        return self._told(symbol, "partial", state.bids, state.asks, state)

    def update(self, symbol: str, update: Update, state: State) -> Sample:
        return self._told(symbol, "update", update.bids, update.asks, state)

    def others(self, symbol: str) -> list[Sample]:
        fill = {"id": 7, "price": 32818.0, "size": 0.2124, "side": "sell", "liquidation": False}
        when = {"time": "2021-07-22T22:45:25.174228+00:00"}
        row = {"name": symbol, "baseCurrency": symbol[:-5], "quoteCurrency": "USDT", "enabled": True, "postOnly": False}
        rules = {"priceIncrement": 0.01, "sizeIncrement": 0.001}
        return [
            written({"type": "subscribed", "channel": "orderbook", "market": symbol}),
            written({"type": "error", "code": 400, "msg": "Invalid market", "market": symbol}),
            written({"type": "info", "code": 20001, "msg": "server restarting"}),
            written({"type": "pong"}),
            written({"channel": "trades", "market": symbol, "type": "update", "data": [fill | when]}),
            written({"success": True, "result": [row | rules]}, "/api/markets"),
        ]

    def untrue(self, symbol: str) -> list[Sample]:
        return []

    def _told(self, symbol: str, kind: str, bids: Mapping[int, int], asks: Mapping[int, int], state: State) -> Sample:
        book = {"time": 1626993904.155, "checksum": self._checksum(state), "bids": bare(bids), "asks": bare(asks)}
        return written({"channel": "orderbook", "market": symbol, "type": kind, "data": book | {"action": kind}})

    def _checksum(self, state: State) -> int:
        sides = [sorted(state.bids.items(), reverse=True), sorted(state.asks.items())]
        ranked = sorted(
            ((rank, side, level) for side in (0, 1) for rank, level in enumerate(sides[side])), key=lambda row: row[:2]
        )
        return crc32(":".join(repr(number / 1000) for _, _, level in ranked for number in level).encode())


DIALECTS: Mapping[str, Dialect] = {
    "binance": Binance(),
    "huobi": Huobi(),
    "cryptocom": Cryptocom(),
    "gateio": Gateio(),
    "ftx": Ftx(),
}


def any_other(dialect: Dialect, symbols: Iterable[str], chance: Random) -> Sample:
    return chance.choice(dialect.others(chance.choice(list(symbols))))
