"""ccxt's own client, unmodified, trades at the simulated Binance, and reads what the account knows to be true."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from aggregator.domain.instrument import Instrument
from aggregator.domain.numbers import format_decimal
from aggregator.domain.order import ASSET_DECIMALS
from connectors.binance.simulator import BinanceSimulator, simulator
from connectors.simulation.account import SimulatedAccount, SimulatedFill, SimulatedOrder
from connectors.simulation.exchange import SimulatedExchange
from tests.simulation.on_sockets import Served, ccxt_pro, served
from tests.simulation.test_ccxt_binance import client_of

BTC = "BTC/USDT"


class Desk(NamedTuple):
    venue: Served
    account: SimulatedAccount
    client: Any

    @property
    def instrument(self) -> Instrument:
        return self.venue.exchange.listing("BTCUSDT").instrument

    def best_ask(self) -> Decimal:
        return Decimal(self.instrument.show_price(self.venue.exchange.book("BTCUSDT", 1).asks.prices[0]))

    def quantity(self, quantity: int) -> Decimal:
        return Decimal(self.instrument.show_quantity(quantity))

    def order(self, told: dict[str, Any]) -> SimulatedOrder:
        order = self.account.find(int(told["id"]))
        assert order is not None
        return order


@asynccontextmanager
async def desk() -> AsyncIterator[Desk]:
    """The books stand still, so that what was read of them stays true."""
    accounts: list[SimulatedAccount] = []

    def simulate(exchange: SimulatedExchange) -> BinanceSimulator:
        exchange.freeze()
        accounts.append(SimulatedAccount(exchange))
        return simulator(exchange, accounts[0])

    async with served("binance", simulate) as venue:
        client = client_of(venue)
        client.apiKey, client.secret = accounts[0].key, accounts[0].secret
        try:
            yield Desk(venue, accounts[0], client)
        finally:
            await client.close()


def exact(number: Any) -> Decimal:
    """ccxt's floats print as the decimals that they were read from."""
    return Decimal(repr(number))


def money(value: int) -> Decimal:
    return Decimal(format_decimal(value, ASSET_DECIMALS))


def same_fill(desk: Desk, told: dict[str, Any], fill: SimulatedFill) -> bool:
    price = Decimal(desk.instrument.show_price(fill.price))
    return (told["id"], told["order"], told["side"], told["takerOrMaker"]) == (
        str(fill.fill_id),
        str(fill.order_id),
        fill.side,
        "maker" if fill.is_maker else "taker",
    ) and (exact(told["price"]), exact(told["amount"]), exact(told["fee"]["cost"]), told["fee"]["currency"]) == (
        price,
        desk.quantity(fill.quantity),
        money(fill.fee),
        fill.fee_asset,
    )


async def test_ccxt_places_cancels_and_finds_orders() -> None:
    async with desk() as there:
        client, price = there.client, float(there.best_ask() - 1000)
        placed = await client.create_order(BTC, "limit", "buy", 0.01, price, {"clientOrderId": "of-ccxt"})
        order = there.order(placed)
        assert (placed["status"], placed["clientOrderId"], order.client_id) == ("open", "of-ccxt", "of-ccxt")
        assert [one["id"] for one in await client.fetch_open_orders(BTC)] == [str(order.order_id)]
        found = await client.fetch_order(placed["id"], BTC)
        assert (exact(found["amount"]), exact(found["price"])) == (there.quantity(order.quantity), exact(price))
        balance = await client.fetch_balance()
        held = there.account.balances()["USDT"][1]
        assert exact(balance["USDT"]["used"]) == money(held) > 0
        canceled = await client.cancel_order(placed["id"], BTC)
        assert canceled["status"] == "canceled"
        assert await client.fetch_open_orders(BTC) == []
        assert (await client.fetch_order(placed["id"], BTC))["status"] == "canceled"
        assert not order.is_open


async def test_ccxt_reads_fills_and_balances() -> None:
    async with desk() as there:
        client = there.client
        asks = there.venue.exchange.book("BTCUSDT", 2).asks
        quantity = float(there.quantity(sum(asks.quantities)))
        limit = float(there.instrument.show_price(asks.prices[-1]))
        placed = await client.create_order(BTC, "limit", "buy", quantity, limit, {"timeInForce": "IOC"})
        order = there.order(placed)
        assert (placed["status"], exact(placed["filled"])) == ("closed", there.quantity(order.filled))
        fills = there.account.fills(order.order_id)
        assert len(fills) == 2
        told = await client.fetch_my_trades(BTC)
        assert len(told) == len(fills)
        assert all(same_fill(there, one, fill) for one, fill in zip(told, fills, strict=True))
        balance = await client.fetch_balance()
        for asset, (free, held) in there.account.balances().items():
            assert exact(balance[asset]["free"]) == pytest.approx(money(free), rel=Decimal("1e-15"))
            assert exact(balance[asset]["used"]) == money(held)


async def test_ccxt_trades_at_the_market() -> None:
    async with desk() as there:
        sold = await there.client.create_order(BTC, "market", "sell", 0.001)
        order = there.order(sold)
        assert (sold["status"], sold["type"], exact(sold["filled"])) == ("closed", "market", Decimal("0.001"))
        assert order.filled == order.quantity
        bought = await there.client.create_market_buy_order_with_cost(BTC, 100)
        cost = there.instrument.show_notional(there.order(bought).notional)
        assert exact(bought["cost"]) == Decimal(cost) <= 100


async def test_ccxt_names_what_was_refused() -> None:
    async with desk() as there:
        client, ask = there.client, float(there.best_ask())
        errors = ccxt_pro()
        with pytest.raises(errors.InsufficientFunds):
            await client.create_order(BTC, "limit", "buy", 100_000, ask)
        with pytest.raises(errors.OrderImmediatelyFillable):
            await client.create_order(BTC, "limit", "buy", 0.01, ask, {"postOnly": True})
        with pytest.raises(errors.OrderNotFound):
            await client.fetch_order("1", BTC)
        with pytest.raises(errors.OrderNotFound):
            await client.cancel_order("1", BTC)
        client.secret = "wrong"
        with pytest.raises(errors.AuthenticationError):
            await client.fetch_balance()
