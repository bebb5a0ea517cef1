"""ccxt's own client trades at the simulated Crypto.com: an independent witness of signatures, routes and rows.

It is pointed there by addresses alone, and what it makes of the answers is held against the account's truth.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from aggregator.domain.instrument import Instrument, Side
from aggregator.domain.numbers import RATE_ONE, format_decimal
from aggregator.domain.order import ASSET_DECIMALS
from connectors.cryptocom.simulator import account_of, simulator
from connectors.simulation.account import SimulatedAccount, Status
from connectors.simulation.contract import SimulatedVenue
from connectors.simulation.exchange import SimulatedExchange
from tests.simulation.on_sockets import PATIENCE_S, Served, ccxt_pro, served, until

SYMBOL, MARKET = "BTC_USDT", "BTC/USDT"


class Trading(NamedTuple):
    venue: Served
    account: SimulatedAccount
    client: Any

    def taker_price(self, side: Side, levels: int = 1) -> str:
        """What a taker of that side has to offer for so many levels."""
        picture = self.venue.exchange.book(SYMBOL, levels)
        prices, _ = picture.asks if side is Side.BUY else picture.bids
        return self.instrument.show_price(prices[-1])

    @property
    def instrument(self) -> Instrument:
        return self.venue.exchange.listing(SYMBOL).instrument

    def quantity(self, text: str) -> int:
        return self.instrument.quantity(text)

    async def order(self, order_id: str) -> Any:
        return await self.client.fetch_order(order_id, MARKET)


@asynccontextmanager
async def trading(secret: str = "simulated-secret") -> AsyncIterator[Trading]:
    accounts: list[SimulatedAccount] = []

    def simulate(exchange: SimulatedExchange) -> SimulatedVenue:
        accounts.append(account_of(exchange))
        exchange.freeze()
        return simulator(exchange, accounts[0])

    async with served("cryptocom", simulate) as venue:
        client = ccxt_pro().cryptocom({"apiKey": "simulated-key", "secret": secret})
        client.urls["api"]["v1"] = f"http://{venue.host}/exchange/v1"
        client.urls["api"]["ws"]["private"] = f"ws://{venue.host}/exchange/v1/user"
        try:
            yield Trading(venue, accounts[0], client)
        finally:
            await client.close()


async def test_it_places_asks_and_cancels() -> None:
    async with trading() as desk:
        price = str(int(Decimal(desk.taker_price(Side.BUY)) * Decimal("0.9")))
        placed = await desk.client.create_order(MARKET, "limit", "buy", 0.01, float(price), {"client_oid": "by-ccxt"})
        truth = desk.account.find_client("by-ccxt")
        assert truth is not None
        assert (placed["id"], placed["clientOrderId"]) == (str(truth.order_id), "by-ccxt")
        assert (truth.price, truth.quantity) == (desk.instrument.price(price), desk.quantity("0.01"))

        await until(lambda: truth.status is Status.OPEN)
        asked = await desk.order(placed["id"])
        assert (asked["status"], asked["filled"], asked["amount"], asked["price"]) == ("open", 0, 0.01, float(price))
        (listed,) = await desk.client.fetch_open_orders(MARKET)
        assert (listed["id"], listed["clientOrderId"]) == (placed["id"], "by-ccxt")

        balances = await desk.client.fetch_balance()
        assert_same_balances(desk, balances)
        assert balances["USDT"]["used"] == float(Decimal(price) * Decimal("0.01"))

        canceled = await desk.client.cancel_order(placed["id"], MARKET)
        assert canceled["id"] == placed["id"]
        await until(lambda: truth.status is Status.CANCELED)
        assert (await desk.order(placed["id"]))["status"] == "canceled"
        assert await desk.client.fetch_open_orders(MARKET) == []
        (past,) = await desk.client.fetch_orders(MARKET)
        assert (past["id"], past["status"]) == (placed["id"], "canceled")


@pytest.mark.parametrize("side", Side)
async def test_it_takes_and_reads_its_fills(side: Side) -> None:
    async with trading() as desk:
        price = float(desk.taker_price(side, 3))
        picture = desk.venue.exchange.book(SYMBOL, 3)
        wanted = sum((picture.asks if side is Side.BUY else picture.bids).quantities)
        amount = float(desk.instrument.show_quantity(wanted))
        options = {"timeInForce": "IOC"}
        placed = await desk.client.create_order(MARKET, "limit", side.value, amount, price, options)
        await until(lambda: len(desk.account.fills()) == 3)
        asked = await desk.order(placed["id"])
        assert (asked["status"], asked["filled"], asked["timeInForce"]) == ("closed", amount, "IOC")

        fills = await desk.client.fetch_my_trades(MARKET)
        truth = desk.account.fills()
        assert [fill["id"] for fill in fills] == [str(true.fill_id) for true in truth]
        for fill, true in zip(fills, truth, strict=True):
            assert fill["order"] == placed["id"]
            assert fill["price"] == float(desk.instrument.show_price(true.price))
            assert fill["amount"] == float(desk.instrument.show_quantity(true.quantity))
            assert (fill["side"], fill["takerOrMaker"]) == (side.value, "taker")
            fee = float(format_decimal(true.fee, ASSET_DECIMALS))
            assert (fill["fee"]["cost"], fill["fee"]["currency"]) == (fee, true.fee_asset)
            assert fee > 0
        assert_same_balances(desk, await desk.client.fetch_balance())


async def test_it_places_a_market_order() -> None:
    async with trading() as desk:
        placed = await desk.client.create_order(MARKET, "market", "sell", 0.02)
        await until(lambda: bool(desk.account.fills()))
        asked = await desk.order(placed["id"])
        assert (asked["status"], asked["filled"], asked["side"]) == ("closed", 0.02, "sell")


async def test_its_post_only_order_is_not_filled() -> None:
    async with trading() as desk:
        price = float(desk.taker_price(Side.BUY))
        placed = await desk.client.create_order(MARKET, "limit", "buy", 0.01, price, {"postOnly": True})
        truth = desk.account.find(int(placed["id"]))
        assert truth is not None
        await until(lambda: not truth.is_open)
        asked = await desk.order(placed["id"])
        assert (asked["status"], asked["filled"], asked["postOnly"]) == ("canceled", 0, True)


async def test_it_cancels_all() -> None:
    async with trading() as desk:
        price = int(Decimal(desk.taker_price(Side.BUY)) * Decimal("0.9"))
        for _ in range(3):
            await desk.client.create_order(MARKET, "limit", "buy", 0.01, price)
        await until(lambda: all(order.status is Status.OPEN for order in desk.account.open_orders()))
        await desk.client.cancel_all_orders(MARKET)
        await until(lambda: not desk.account.open_orders())


async def test_it_reads_its_fees() -> None:
    async with trading() as desk:
        fees = desk.venue.exchange.listing(SYMBOL).fees
        read = await desk.client.fetch_trading_fee(MARKET)
        assert (read["maker"], read["taker"]) == (fees.maker / RATE_ONE, fees.taker / RATE_ONE)


async def test_it_understands_refusals() -> None:
    async with trading() as desk:
        ccxt, price = ccxt_pro(), float(desk.taker_price(Side.BUY))
        with pytest.raises(ccxt.InsufficientFunds, match="INSUFFICIENT_AVAILABLE_BALANCE"):
            await desk.client.create_order(MARKET, "limit", "buy", 10_000_000, price)
        with pytest.raises(ccxt.OrderNotFound):
            await desk.order("12345")
        with pytest.raises(ccxt.ExchangeError, match="NO_ACTIVE_ORDER"):
            await desk.client.cancel_order("12345", MARKET)
        await desk.client.create_order(MARKET, "limit", "buy", 0.01, price, {"client_oid": "twice"})
        with pytest.raises(ccxt.ExchangeError, match="DUPLICATE_CLORDID"):
            await desk.client.create_order(MARKET, "limit", "buy", 0.01, price, {"client_oid": "twice"})


async def test_a_wrong_secret_is_refused() -> None:
    async with trading("another-secret") as desk:
        with pytest.raises(ccxt_pro().AuthenticationError, match="UNAUTHORIZED"):
            await desk.client.fetch_balance()


async def test_it_hears_of_its_orders() -> None:
    """Only the first private request of a socket is ever sent by it, so there is one channel."""
    async with trading() as desk:
        price = int(Decimal(desk.taker_price(Side.BUY)) * Decimal("0.9"))
        placed = await desk.client.create_order(MARKET, "limit", "buy", 0.01, price)
        truth = desk.account.find(int(placed["id"]))
        assert truth is not None
        await until(lambda: truth.status is Status.OPEN)
        async with asyncio.timeout(PATIENCE_S):
            (told,) = await desk.client.watch_orders(MARKET)
        assert (told["id"], told["status"]) == (placed["id"], "open")
        await desk.client.cancel_order(placed["id"], MARKET)
        async with asyncio.timeout(PATIENCE_S):
            while told["status"] == "open":
                told = (await desk.client.watch_orders(MARKET))[-1]
        assert (told["id"], told["status"], told["filled"]) == (placed["id"], "canceled", 0)


def assert_same_balances(desk: Trading, balances: Any) -> None:
    for asset, (free, held) in desk.account.balances().items():
        read, exact = balances[asset], [format_decimal(money, ASSET_DECIMALS) for money in (free + held, held)]
        assert [read["total"], read["used"]] == [float(text) for text in exact], asset
