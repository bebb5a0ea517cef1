"""How the simulated Binance writes orders, fills and balances down.

Prices and quantities have eight decimals. So has money, or as many as it takes: the venue rounds what it books, the
simulated account does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aggregator.domain.instrument import Instrument, Side
from aggregator.domain.order import ASSET_DECIMALS
from connectors.binance.simulator_rest import DECIMALS, MS, printed
from connectors.simulation.account import Happening, SimulatedFill, SimulatedOrder, Status, Terms

NO_MONEY = f"0.{'0' * DECIMALS}"

STATUSES = {
    Status.PENDING: "NEW",
    Status.OPEN: "NEW",
    Status.FILLED: "FILLED",
    Status.CANCELED: "CANCELED",
    Status.EXPIRED: "EXPIRED",
    Status.REJECTED: "REJECTED",
}
LIFETIMES = {Terms.GTC: "GTC", Terms.POST_ONLY: "GTC", Terms.IOC: "IOC", Terms.FOK: "FOK"}
PREVENTION = "EXPIRE_MAKER"


def in_full(value: int, decimals: int) -> str:
    """Every digit, and eight decimals at least."""
    digits = f"{value:0{decimals + 1}d}"
    fraction = digits[len(digits) - decimals :].rstrip("0")
    return f"{digits[: len(digits) - decimals]}.{fraction:0<{DECIMALS}}"


def money(value: int) -> str:
    return in_full(value, ASSET_DECIMALS)


def status_of(order: SimulatedOrder) -> str:
    return "PARTIALLY_FILLED" if order.is_open and order.filled else STATUSES[order.status]


class Shapes:
    """Of the orders of one instrument. `is_market` tells those that were sent without a price."""

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument

    def price(self, price: int) -> str:
        return printed(price, self._instrument.price_decimals)

    def quantity(self, quantity: int) -> str:
        return printed(quantity, self._instrument.quantity_decimals)

    def notional(self, notional: int) -> str:
        return in_full(notional, self._instrument.price_decimals + self._instrument.quantity_decimals)

    def order(self, order: SimulatedOrder, is_market: bool) -> dict[str, Any]:
        """What every answer about an order has."""
        kind = "LIMIT_MAKER" if order.terms is Terms.POST_ONLY else "LIMIT"
        return {
            "symbol": order.symbol,
            "orderId": order.order_id,
            "orderListId": -1,
            "clientOrderId": order.client_id,
            "price": NO_MONEY if is_market else self.price(order.price),
            "origQty": self.quantity(order.quantity),
            "executedQty": self.quantity(order.filled),
            "origQuoteOrderQty": NO_MONEY,
            "cummulativeQuoteQty": self.notional(order.notional),
            "status": status_of(order),
            "timeInForce": "GTC" if is_market else LIFETIMES[order.terms],
            "type": "MARKET" if is_market else kind,
            "side": order.side.upper(),
            "selfTradePreventionMode": PREVENTION,
        }

    def placed_fill(self, fill: SimulatedFill) -> dict[str, Any]:
        return {
            "price": self.price(fill.price),
            "qty": self.quantity(fill.quantity),
            "commission": money(fill.fee),
            "commissionAsset": fill.fee_asset,
            "tradeId": fill.fill_id,
        }

    def past_fill(self, fill: SimulatedFill) -> dict[str, Any]:
        return {
            "symbol": fill.symbol,
            "id": fill.fill_id,
            "orderId": fill.order_id,
            "orderListId": -1,
            "price": self.price(fill.price),
            "qty": self.quantity(fill.quantity),
            "quoteQty": self.notional(fill.price * fill.quantity),
            "commission": money(fill.fee),
            "commissionAsset": fill.fee_asset,
            "time": fill.time_ns // MS,
            "isBuyer": fill.side is Side.BUY,
            "isMaker": fill.is_maker,
            "isBestMatch": True,
        }

    def report(self, happening: Happening, cancel_id: str, is_market: bool, now_ns: int) -> dict[str, Any]:
        """`cancel_id` is the id of the cancel that ended the order, if one did."""
        order, fill = happening.order, happening.fill
        told = self.order(order, is_market)
        return {
            "e": "executionReport",
            "E": now_ns // MS,
            "s": order.symbol,
            "c": cancel_id or order.client_id,
            "S": told["side"],
            "o": told["type"],
            "f": told["timeInForce"],
            "q": told["origQty"],
            "p": told["price"],
            "P": NO_MONEY,
            "F": NO_MONEY,
            "g": -1,
            "C": order.client_id if cancel_id else "",
            "x": "TRADE" if fill else STATUSES[order.status],
            "X": told["status"],
            "r": (order.refusal or "none").upper(),
            "i": order.order_id,
            "l": self.quantity(fill.quantity if fill else 0),
            "z": told["executedQty"],
            "L": self.price(fill.price if fill else 0),
            "n": money(fill.fee) if fill else "0",
            "N": fill.fee_asset if fill else None,
            "T": happening.at_ns // MS,
            "t": fill.fill_id if fill else -1,
            "w": order.is_open,
            "m": fill.is_maker if fill else False,
            "M": fill is not None,
            "O": order.created_ns // MS,
            "Z": told["cummulativeQuoteQty"],
            "Y": self.notional(fill.price * fill.quantity if fill else 0),
            "Q": NO_MONEY,
            "V": PREVENTION,
        }


def balance_rows(balances: Mapping[str, tuple[int, int]], *, without_zero: bool) -> list[dict[str, str]]:
    return [
        {"asset": asset, "free": money(free), "locked": money(held)}
        for asset, (free, held) in balances.items()
        if free or held or not without_zero
    ]


def changed_balances(balances: Mapping[str, tuple[int, int]], assets: tuple[str, ...], now_ns: int) -> dict[str, Any]:
    rows = [{"a": asset, "f": money(balances[asset][0]), "l": money(balances[asset][1])} for asset in assets]
    return {"e": "outboundAccountPosition", "E": now_ns // MS, "u": now_ns // MS, "B": rows}
