"""ccxt's own client trades at the simulated Gate, by REST and by websocket, pointed at it by addresses alone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from aggregator.domain.instrument import Instrument, Side
from aggregator.domain.numbers import POWERS
from aggregator.domain.order import ASSET_DECIMALS
from connectors.gateio.simulator import GateioSimulator, simulator
from connectors.simulation.account import SimulatedAccount, SimulatedOrder, Status
from connectors.simulation.exchange import SimulatedExchange
from tests.simulation.on_sockets import PATIENCE_S, Served, served, until
from tests.simulation.test_ccxt_gateio import client_of

BTC = "BTC/USDT"


class Trading(NamedTuple):
    venue: Served
    account: SimulatedAccount
    client: Any

    @property
    def instrument(self) -> Instrument:
        return self.venue.exchange.listing("BTC_USDT").instrument

    def best(self, side: Side) -> tuple[float, float]:
        """Price and quantity of the level that a taker of this side meets, as ccxt takes them."""
        picture = self.venue.exchange.book("BTC_USDT", 1)
        levels = picture.asks if side is Side.BUY else picture.bids
        price = self.instrument.show_price(levels.prices[0])
        return float(price), float(self.instrument.show_quantity(levels.quantities[0]))

    def order(self, answer: Any) -> SimulatedOrder:
        found = self.account.find(int(answer["id"]))
        assert found is not None
        return found

    def quantity(self, number: object) -> int:
        return self.instrument.quantity(plain(number))


@asynccontextmanager
async def trading(*, secret: str = "simulated-secret") -> AsyncIterator[Trading]:
    """Books stand still, so that what is seen in them can be had."""
    accounts: list[SimulatedAccount] = []

    def simulate(exchange: SimulatedExchange) -> GateioSimulator:
        accounts.append(SimulatedAccount(exchange))
        return simulator(exchange, accounts[0])

    async with served("gateio", simulate) as venue:
        venue.exchange.freeze()
        client = client_of(venue)
        client.apiKey, client.secret = accounts[0].key, secret
        try:
            yield Trading(venue, accounts[0], client)
        finally:
            await client.close()


def plain(number: object) -> str:
    """ccxt's floats print as the decimals that they were read from."""
    return f"{Decimal(repr(number)):f}"


def balances_agree(account: SimulatedAccount, read: Any) -> None:
    for asset, (free, held) in account.balances().items():
        for name, true in (("free", free), ("used", held), ("total", free + held)):
            assert Decimal(repr(read[asset][name])) == pytest.approx(
                Decimal(true) / POWERS[ASSET_DECIMALS], rel=Decimal("1e-12")
            )


async def test_ccxt_places_and_cancels_a_resting_order() -> None:
    async with trading() as bench:
        placed = await bench.client.create_order(BTC, "limit", "buy", 0.01, 1000.5, {"text": "t-ccxt-1"})
        order = bench.order(placed)
        assert (order.client_id, order.status, order.quantity) == ("t-ccxt-1", Status.OPEN, bench.quantity(0.01))
        assert (placed["status"], placed["remaining"]) == ("open", 0.01)
        balances_agree(bench.account, await bench.client.fetch_balance())
        found = await bench.client.fetch_open_orders(BTC)
        assert [(one["id"], one["clientOrderId"]) for one in found] == [(placed["id"], "t-ccxt-1")]
        by_text = await bench.client.fetch_order(placed["id"], BTC, {"text": "t-ccxt-1"})
        assert by_text["id"] == placed["id"]
        canceled = await bench.client.cancel_order(placed["id"], BTC)
        assert (canceled["status"], order.status) == ("canceled", Status.CANCELED)
        assert await bench.client.fetch_open_orders(BTC) == []
        balances_agree(bench.account, await bench.client.fetch_balance())


@pytest.mark.parametrize("side", Side)
async def test_ccxt_takes_from_the_book_and_reads_what_it_paid(side: Side) -> None:
    async with trading() as bench:
        price, quantity = bench.best(side)
        params = {"timeInForce": "IOC"}
        placed = await bench.client.create_order(BTC, "limit", side.value, quantity * 2, price, params)
        order = bench.order(placed)
        assert (order.status, order.filled) == (Status.EXPIRED, bench.quantity(quantity))
        fetched = await bench.client.fetch_order(placed["id"], BTC)
        assert fetched["status"] == "canceled"
        assert bench.quantity(fetched["filled"]) == order.filled
        trades = await bench.client.fetch_my_trades(BTC)
        (fill,) = bench.account.fills()
        (trade,) = trades
        assert (trade["id"], trade["order"], trade["side"]) == (str(fill.fill_id), placed["id"], side.value)
        assert (trade["price"], bench.quantity(trade["amount"])) == (price, fill.quantity)
        assert trade["takerOrMaker"] == "taker"
        assert trade["fee"]["currency"] == fill.fee_asset
        assert Decimal(repr(trade["fee"]["cost"])) * POWERS[ASSET_DECIMALS] == fill.fee
        balances_agree(bench.account, await bench.client.fetch_balance())


@pytest.mark.parametrize("side", Side)
async def test_ccxt_trades_at_the_market(side: Side) -> None:
    async with trading() as bench:
        price, _ = bench.best(side)
        placed = await bench.client.create_order(BTC, "market", side.value, 0.001, price)
        order = bench.order(placed)
        assert order.filled > 0
        assert (placed["type"], placed["status"]) == ("market", "closed")
        if side is Side.SELL:
            assert order.filled == bench.quantity(0.001)
        else:
            assert order.notional <= bench.instrument.notional(plain(0.001 * price))
        balances_agree(bench.account, await bench.client.fetch_balance())


async def test_ccxt_cancels_all_orders_and_finds_them_among_the_closed() -> None:
    async with trading() as bench:
        ids = [(await bench.client.create_order(BTC, "limit", "buy", 0.01, 1000))["id"] for _ in range(3)]
        await bench.client.cancel_all_orders(BTC)
        assert not bench.account.open_orders()
        closed = await bench.client.fetch_closed_orders(BTC)
        assert sorted(one["id"] for one in closed) == ids


async def test_ccxt_reads_the_fees() -> None:
    async with trading() as bench:
        fees = await bench.client.fetch_trading_fee(BTC)
        assert (fees["maker"], fees["taker"]) == (0.002, 0.002)


@pytest.mark.parametrize(
    ("place", "error"),
    [
        (lambda bench: bench.client.create_order(BTC, "limit", "buy", 10**6, 50000), "InsufficientFunds"),
        (lambda bench: bench.client.create_order(BTC, "limit", "buy", 0.000001, 1), "BadRequest"),
        (
            lambda bench: bench.client.create_order(
                BTC, "limit", "buy", 0.01, bench.best(Side.BUY)[0], {"postOnly": True}
            ),
            "OrderImmediatelyFillable",
        ),
        (lambda bench: bench.client.cancel_order("4711", BTC), "OrderNotFound"),
        (lambda bench: bench.client.fetch_order("4711", BTC), "OrderNotFound"),
    ],
)
async def test_ccxt_knows_why_it_is_refused(place: Callable[[Trading], Awaitable[Any]], error: str) -> None:
    async with trading() as bench:
        before = bench.account.balances()
        with pytest.raises(Exception, match="gate") as refused:
            await place(bench)
        assert type(refused.value).__name__ == error
        assert bench.account.balances() == before


async def test_ccxt_with_a_wrong_secret_is_refused() -> None:
    async with trading(secret="another") as bench:
        with pytest.raises(Exception, match="INVALID_SIGNATURE") as refused:
            await bench.client.fetch_balance()
        assert type(refused.value).__name__ == "AuthenticationError"


async def test_ccxt_follows_its_orders_fills_and_balances() -> None:
    """It does not say when it is subscribed, so it trades until it has heard of all three."""
    async with trading() as bench, asyncio.timeout(PATIENCE_S):
        client, (price, _) = bench.client, bench.best(Side.BUY)
        await client.load_markets()
        watching = [
            asyncio.create_task(watch(*arguments))
            for watch, arguments in (
                (client.watch_my_trades, ()),
                (client.watch_balance, ()),
                (client.watch_orders, (BTC,)),
            )
        ]
        while not all(task.done() for task in watching):
            await client.create_order(BTC, "limit", "buy", 0.0001, price * 1.01)
            await asyncio.sleep(0.15)
        trades = {trade["id"]: trade for trade in watching[0].result()}
        for fill in bench.account.fills():
            if str(fill.fill_id) in trades:
                told = trades.pop(str(fill.fill_id))
                assert (told["order"], bench.quantity(told["amount"])) == (str(fill.order_id), fill.quantity)
                assert Decimal(repr(told["fee"]["cost"])) * POWERS[ASSET_DECIMALS] == fill.fee
        assert not trades
        assert all(bench.account.find(int(order["id"])) for order in watching[2].result())
        last = await client.create_order(BTC, "limit", "buy", 0.0001, price * 1.01)
        while client.orders[-1]["id"] != last["id"] or client.orders[-1]["status"] != "closed":
            await client.watch_orders(BTC)
        await until(lambda: has_balance(bench, "BTC"))


def has_balance(bench: Trading, asset: str) -> bool:
    return Decimal(repr(bench.client.balance[asset]["total"])) * POWERS[ASSET_DECIMALS] == sum(
        bench.account.balances()[asset]
    )


async def test_ccxt_places_and_cancels_by_websocket() -> None:
    async with trading() as bench, asyncio.timeout(PATIENCE_S):
        placed = await bench.client.create_order_ws(BTC, "limit", "buy", 0.01, 1000)
        assert bench.order(placed).status is Status.OPEN
        canceled = await bench.client.cancel_order_ws(placed["id"], BTC)
        assert (canceled["status"], bench.order(placed).status) == ("canceled", Status.CANCELED)
