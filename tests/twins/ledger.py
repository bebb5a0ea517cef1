"""The naive ledger: a list of all that ever moved, summed anew for every question, and exact fractions."""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor

from aggregator.domain.instrument import Fees, Instrument, Side
from aggregator.domain.local import Traded
from aggregator.domain.numbers import RATE_ONE
from aggregator.domain.order import ASSET_DECIMALS, Fill
from aggregator.domain.plan import NET_ONE, Rate

UNIT = 10**ASSET_DECIMALS


@dataclass(frozen=True)
class OpenOrder:
    account: str
    instrument: Instrument
    side: Side
    quantity: int
    price: int
    fee: int

    def need(self) -> tuple[str, int]:
        quantity = Fraction(self.quantity, 10**self.instrument.quantity_decimals)
        if self.side is Side.SELL:
            return self.instrument.base, int(quantity * UNIT)
        notional = quantity * Fraction(self.price, 10**self.instrument.price_decimals) * UNIT
        return self.instrument.quote, int(notional) + ceil(notional * Fraction(self.fee, RATE_ONE))


class NaiveLedger:
    """Methods return whether they were allowed. Owned by nobody here: custody is what is left over."""

    def __init__(self) -> None:
        self.accounts = {"fees", "house"}
        self.moves: list[tuple[str, str, int]] = []
        self.counted: dict[str, int] = {}
        self.open: dict[str, OpenOrder] = {}

    def total(self, account: str, asset: str) -> int:
        return sum(change for who, what, change in self.moves if (who, what) == (account, asset))

    def owned(self, asset: str) -> int:
        return sum(change for _, what, change in self.moves if what == asset)

    def held(self, account: str, asset: str) -> int:
        needs = [order.need() for order in self.open.values() if order.account == account]
        return sum(money for what, money in needs if what == asset)

    def free(self, account: str, asset: str) -> int:
        return self.total(account, asset) - self.held(account, asset)

    def credit(self, account: str, asset: str, money: int) -> bool:
        if account not in self.accounts or money <= 0:
            return False
        if self.owned(asset) + money > self.counted.get(asset, 0):
            return False
        self.moves.append((account, asset, money))
        return True

    def debit(self, account: str, asset: str, money: int) -> bool:
        if account not in self.accounts or not 0 < money <= self.counted.get(asset, 0):
            return False
        if not self._changed([(account, asset, -money)], {}):
            return False
        self.counted[asset] -= money
        return True

    def transfer(self, account: str, other: str, asset: str, money: int) -> bool:
        if not {account, other} <= self.accounts or money <= 0:
            return False
        return self._changed([(account, asset, -money), (other, asset, money)], {})

    def hold(self, key: str, order: OpenOrder) -> bool:
        if key in self.open or order.account not in self.accounts or order.need()[1] <= 0:
            return False
        return self._changed([], {key: order})

    def amend(self, key: str, quantity: int, price: int) -> bool:
        if key not in self.open:
            return False
        order = replace(self.open[key], quantity=quantity, price=price)
        return order.need()[1] > 0 and self._changed([], {key: order})

    def reduce(self, key: str, quantity: int) -> bool:
        if key not in self.open or not 0 <= quantity <= self.open[key].quantity:
            return False
        return self._changed([], {key: replace(self.open[key], quantity=quantity)})

    def settle(self, trade: Traded, fees: Fees) -> bool:
        keys = {
            (trade.maker_id, trade.maker_account, fees.maker): Side.SELL if trade.taker_side is Side.BUY else Side.BUY,
            (trade.taker_id, trade.taker_account, fees.taker): trade.taker_side,
        }
        notional = Fraction(trade.price * trade.quantity, 10 ** _decimals(trade.instrument)) * UNIT
        quantity = Fraction(trade.quantity, 10**trade.instrument.quantity_decimals) * UNIT
        moves = []
        for (key, account, ratio), side in keys.items():
            order = self.open.get(key)
            if order is None or (order.account, order.side, order.instrument) != (account, side, trade.instrument):
                return False
            if trade.quantity > order.quantity:
                return False
            fee, sign = floor(notional * Fraction(ratio, RATE_ONE)), 1 if side is Side.BUY else -1
            moves += [
                (account, order.instrument.base, sign * int(quantity)),
                (account, order.instrument.quote, -sign * int(notional) - fee),
                ("fees", order.instrument.quote, fee),
            ]
        return self._changed(moves, {key: self._less(key, trade.quantity) for key, _, _ in keys})

    def settle_outside(self, fill: Fill, key: str, rate: Rate | None) -> bool:
        order = self.open.get(key)
        if order is None or order.side is not fill.side or fill.quantity > order.quantity:
            return False
        value = Fraction(1)
        if fill.instrument.quote != order.instrument.quote:
            if rate is None or (rate.base, rate.quote) != (fill.instrument.quote, order.instrument.quote):
                return False
            value = Fraction(rate.value, NET_ONE)
        sign = 1 if fill.side is Side.BUY else -1
        base = sign * Fraction(fill.quantity, 10**fill.instrument.quantity_decimals) * UNIT
        quote = sign * Fraction(fill.notional, 10 ** _decimals(fill.instrument)) * UNIT
        base -= fill.fee if fill.fee_asset == fill.instrument.base else 0
        quote += fill.fee if fill.fee_asset == fill.instrument.quote else 0
        received, paid = int(base), ceil(quote * value)
        moves = [
            (order.account, order.instrument.base, received),
            ("house", order.instrument.base, -received),
            (order.account, order.instrument.quote, -paid),
            ("house", order.instrument.quote, paid),
        ]
        return self._changed(moves, {key: self._less(key, fill.quantity)}, exempt="house")

    def _less(self, key: str, quantity: int) -> OpenOrder:
        return replace(self.open[key], quantity=self.open[key].quantity - quantity)

    def _changed(self, moves: list[tuple[str, str, int]], orders: dict[str, OpenOrder], exempt: str = "") -> bool:
        """Only if in the end nobody has less than nothing free, or else no less than before."""
        places = {(account, asset) for account, asset, _ in moves if account != exempt}
        places |= {(order.account, order.need()[0]) for order in orders.values() if order.account != exempt}
        before = {place: self.free(*place) for place in places}
        kept = list(self.moves), dict(self.open)
        self.moves += moves
        self.open |= orders
        self.open = {key: order for key, order in self.open.items() if order.quantity}
        if all(self.free(*place) >= min(0, free) for place, free in before.items()):
            return True
        self.moves, self.open = kept
        return False


def _decimals(instrument: Instrument) -> int:
    return instrument.price_decimals + instrument.quantity_decimals
