"""What an account at a simulated venue owns: of each asset what is free, and what is held for its open orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aggregator.domain.instrument import Instrument, Listing, Side
from aggregator.domain.numbers import POWERS, RATE_ONE, format_decimal, parse_decimal
from aggregator.domain.order import ASSET_DECIMALS, base_money, quote_money
from connectors.simulation.exchange import SimulatedExchange
from connectors.simulation.prices import DOLLAR_DECIMALS, dollars

PLENTY_DOLLARS = 20_000_000
DIGITS = 2
"""How many digits a starting balance has before the zeros."""


def starting_balances(exchange: SimulatedExchange) -> dict[str, str]:
    """As decimals: of every asset that is listed, about PLENTY_DOLLARS worth at the prices where books start."""
    return {asset: _plenty(asset) for asset in assets_of(exchange)}


def assets_of(exchange: SimulatedExchange) -> Iterable[str]:
    instruments = [exchange.listing(symbol).instrument for symbol in exchange.symbols]
    return dict.fromkeys(asset for one in instruments for asset in (one.quote, one.base) if asset)


def cost_of(instrument: Instrument, side: Side, price: int, quantity: int) -> tuple[str, int]:
    """The asset that is given for a trade, and how much of it on ASSET_DECIMALS."""
    if side is Side.BUY:
        return instrument.quote, quote_money(instrument, price * quantity)
    return instrument.base, base_money(instrument, quantity)


def _plenty(asset: str) -> str:
    worth = PLENTY_DOLLARS * POWERS[2 * DOLLAR_DECIMALS] // dollars(asset)
    unit = POWERS[max(len(str(worth)) - DIGITS, 0)]
    return format_decimal(worth // unit * unit, DOLLAR_DECIMALS)


class Balances:
    """Money on ASSET_DECIMALS; neither part of any asset is ever negative. `owned` are decimals by asset. What would
    take more than there is raises ValueError and changes nothing."""

    def __init__(self, owned: Mapping[str, str]) -> None:
        self._free = {asset: parse_decimal(text, ASSET_DECIMALS) for asset, text in owned.items()}
        self._held = dict.fromkeys(self._free, 0)

    def all(self) -> dict[str, tuple[int, int]]:
        """Free and held, by asset."""
        return {asset: (free, self._held.get(asset, 0)) for asset, free in self._free.items()}

    def can_hold(self, asset: str, money: int) -> bool:
        return self._free.get(asset, 0) >= money

    def receive(self, asset: str, money: int) -> None:
        """Less, if it is negative."""
        _change(self._free, asset, money)

    def hold(self, asset: str, money: int) -> None:
        _change(self._free, asset, -money)
        _change(self._held, asset, money)

    def release(self, asset: str, money: int) -> None:
        _change(self._held, asset, -money)
        _change(self._free, asset, money)

    def pay(self, asset: str, money: int) -> None:
        """Out of what is held."""
        _change(self._held, asset, -money)

    def settle(
        self, listing: Listing, side: Side, limit_price: int, price: int, quantity: int, is_maker: bool
    ) -> tuple[str, int]:
        """A fill of an order for which `limit_price` is held. Returns the fee's asset and the fee."""
        instrument, other = listing.instrument, Side.SELL if side is Side.BUY else Side.BUY
        _, held = cost_of(instrument, side, limit_price, quantity)
        given_asset, given = cost_of(instrument, side, price, quantity)
        asset, received = cost_of(instrument, other, price, quantity)
        fee = -(-received * (listing.fees.maker if is_maker else listing.fees.taker) // RATE_ONE)
        self.pay(given_asset, given)
        self.release(given_asset, held - given)
        self.receive(asset, received - fee)
        return asset, fee


def _change(part: dict[str, int], asset: str, change: int) -> None:
    before = part.get(asset, 0)
    if before + change < 0:
        lacking, there = (format_decimal(money, ASSET_DECIMALS) for money in (-change, before))
        raise ValueError(f"{lacking} {asset} cannot be taken: there is {there}")
    part[asset] = before + change
