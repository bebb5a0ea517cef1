"""ccxt's own client trades at the simulated HTX, pointed at it by addresses alone, and finds what is true there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from aggregator.domain.instrument import Side
from aggregator.domain.numbers import format_decimal
from aggregator.domain.order import ASSET_DECIMALS
from connectors.huobi.simulator import HuobiSimulator
from connectors.simulation.account import SimulatedAccount, SimulatedOrder, Status, UniqueIds
from connectors.simulation.exchange import SimulatedExchange
from tests.simulation.on_sockets import Served, ccxt_pro, served

SYMBOL, PAIR = "btcusdt", "BTC/USDT"


class Traded(NamedTuple):
    client: Any
    account: SimulatedAccount
    exchange: SimulatedExchange

    def order(self, answer: dict[str, Any]) -> SimulatedOrder:
        found = self.account.find(int(answer["id"]))
        assert found is not None
        return found

    def best(self, side: Side) -> Decimal:
        picture = self.exchange.book(SYMBOL)
        price = (picture.bids if side is Side.BUY else picture.asks).prices[0]
        return Decimal(self.exchange.listing(SYMBOL).instrument.show_price(price))

    def quantity(self, told: Any) -> int:
        return self.exchange.listing(SYMBOL).instrument.quantity(repr(told))


def client_of(venue: Served, account: SimulatedAccount) -> Any:
    types = {"spot": True, "linear": False, "inverse": False}
    options = {"options": {"fetchMarkets": {"types": types}}, "apiKey": account.key, "secret": account.secret}
    client = ccxt_pro().htx(options)
    client.urls["api"]["spot"] = f"http://{venue.host}"
    client.urls["hostnames"]["spot"] = venue.host  # it signs the host that it is told to call
    return client


@asynccontextmanager
async def trading() -> AsyncIterator[Traded]:
    """The books stand still, so that what is asked twice has not changed between."""
    accounts: list[SimulatedAccount] = []

    def simulate(exchange: SimulatedExchange) -> HuobiSimulator:
        accounts.append(SimulatedAccount(exchange, unique_ids=UniqueIds.NEVER))
        return HuobiSimulator(exchange, accounts[0])

    async with served("huobi", simulate) as venue:
        venue.exchange.freeze()
        client = client_of(venue, accounts[0])
        try:
            yield Traded(client, accounts[0], venue.exchange)
        finally:
            await client.close()


async def test_ccxt_places_finds_and_cancels() -> None:
    async with trading() as at:
        price = float(at.best(Side.BUY) // 2)
        placed = await at.client.create_order(PAIR, "limit", "buy", 0.001, price, {"clientOrderId": "from-ccxt"})
        order = at.order(placed)
        assert (order.side, order.status, order.client_id) == (Side.BUY, Status.OPEN, "from-ccxt")
        found = await at.client.fetch_order(placed["id"], PAIR)
        assert (found["status"], found["filled"], found["price"], found["amount"]) == ("open", 0, price, 0.001)
        assert (await at.client.fetch_order("", PAIR, {"clientOrderId": "from-ccxt"}))["id"] == placed["id"]
        assert [one["id"] for one in await at.client.fetch_open_orders(PAIR)] == [placed["id"]]
        await at.client.cancel_order(placed["id"], PAIR)
        assert order.status is Status.CANCELED
        assert (await at.client.fetch_order(placed["id"], PAIR))["status"] == "canceled"
        assert await at.client.fetch_open_orders(PAIR) == []


async def test_ccxts_fills_and_balances_are_the_true_ones() -> None:
    async with trading() as at:
        limit = float(at.best(Side.SELL))
        orders = [
            await at.client.create_order(PAIR, "limit", "buy", 0.001, limit),
            await at.client.create_order(
                PAIR, "limit", "sell", 0.001, float(at.best(Side.BUY)), {"timeInForce": "IOC"}
            ),
            await at.client.create_order(PAIR, "market", "sell", 0.002),
            await at.client.create_order(PAIR, "market", "buy", 0.001, limit),
        ]
        for placed in orders:
            found, order = await at.client.fetch_order(placed["id"], PAIR), at.order(placed)
            assert (found["status"], order.status) == ("closed", Status.FILLED)
            assert at.quantity(found["filled"]) == order.filled
        fills = await at.client.fetch_my_trades(PAIR)
        told = {(fill["id"], at.quantity(fill["amount"]), fill["side"], fill["takerOrMaker"]) for fill in fills}
        assert told == {(str(fill.fill_id), fill.quantity, fill.side, "taker") for fill in at.account.fills()}
        fees = {(fill["id"], fill["fee"]["cost"], fill["fee"]["currency"]) for fill in fills}
        assert fees == {
            (str(fill.fill_id), float(format_decimal(fill.fee, ASSET_DECIMALS)), fill.fee_asset)
            for fill in at.account.fills()
        }
        balance = await at.client.fetch_balance()
        for asset, (free, held) in at.account.balances().items():
            assert balance[asset]["free"] == float(format_decimal(free, ASSET_DECIMALS))
            assert balance[asset]["used"] == float(format_decimal(held, ASSET_DECIMALS))


async def test_ccxt_knows_why_it_is_refused() -> None:
    async with trading() as at:
        errors = ccxt_pro()
        price = float(at.best(Side.BUY) // 2)
        with pytest.raises(errors.InsufficientFunds):
            await at.client.create_order(PAIR, "limit", "buy", 9_000_000, price)
        with pytest.raises(errors.InvalidOrder, match="order-value-min-error"):
            await at.client.create_order(PAIR, "limit", "buy", 0.00001, 1)
        with pytest.raises(errors.OrderNotFound):
            await at.client.fetch_order("17", PAIR)
        done = await at.client.create_order(PAIR, "limit", "buy", 0.001, float(at.best(Side.SELL)))
        with pytest.raises(errors.OrderNotFound, match="order-orderstate-error"):
            await at.client.cancel_order(done["id"], PAIR)
        at.client.secret = "another"
        with pytest.raises(errors.AuthenticationError):
            await at.client.fetch_balance()


async def test_ccxts_post_only_order_that_would_take_is_canceled() -> None:
    async with trading() as at:
        placed = await at.client.create_order(
            PAIR, "limit", "buy", 0.001, float(at.best(Side.SELL)), {"postOnly": True}
        )
        async with asyncio.timeout(30):
            while (await at.client.fetch_order(placed["id"], PAIR))["status"] != "canceled":
                pass
        assert at.order(placed).filled == 0
