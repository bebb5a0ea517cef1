"""What a local book takes and what it refuses: LocalRules, made ready to judge many orders."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import NamedTuple

from aggregator.domain.local import LocalCode, LocalRules

BPS_ONE = 10_000

LARGEST = 10**38
"""No price and no quantity is larger, whatever the rules say, so that signed 128 bits hold it on any scale."""


class Refusal(NamedTuple):
    code: LocalCode
    detail: str


class Ticks:
    """The prices that there are, by the rules' tick bands."""

    __slots__ = ("from_prices", "ticks")

    def __init__(self, rules: LocalRules) -> None:
        self.from_prices = [band.from_price for band in rules.ticks]
        self.ticks = [band.tick for band in rules.ticks]

    def at(self, price: int) -> int:
        """The tick of a price that is not negative."""
        return self.ticks[bisect_right(self.from_prices, price) - 1]

    def at_or_below(self, price: int) -> int:
        return price - price % self.at(price)

    def at_or_above(self, price: int) -> int:
        below = self.at_or_below(price)
        if below == price:
            return price
        # The tick may reach past the beginning of the next band, which is a price by itself.
        next_band = bisect_right(self.from_prices, price)
        above = below + self.at(price)
        return above if next_band == len(self.from_prices) else min(above, self.from_prices[next_band])


class Acceptance:
    """Judges prices and quantities by one instrument's rules."""

    __slots__ = (
        "_from_prices", "_highest", "_lot", "_lowest", "_maximum", "_minimum", "_minimum_notional", "_ticks", "rules",
        "ticks",
    )  # fmt: skip

    def __init__(self, rules: LocalRules) -> None:
        """Raises ValueError for rules by which no order can be judged."""
        fault = fault_of(rules)
        if fault:
            raise ValueError(f"rules of {rules.instrument.name}: {fault}")
        self.rules = rules
        self.ticks = Ticks(rules)
        self._from_prices, self._ticks = self.ticks.from_prices, self.ticks.ticks
        self._lot, self._minimum = rules.lot, max(rules.minimum_quantity, 1)
        self._maximum = rules.maximum_quantity or LARGEST
        self._minimum_notional = rules.minimum_notional
        lowest, self._highest = band(rules.reference_price, rules.price_band_bps)
        self._lowest = max(lowest, 1)

    def limit(self, price: int, quantity: int) -> Refusal | None:
        """Whether an order of this limit price and quantity may stand; None if so."""
        if (
            self._minimum <= quantity <= self._maximum
            and not quantity % self._lot
            and self._lowest <= price <= self._highest
            and not price % self._ticks[bisect_right(self._from_prices, price) - 1]
            and price * quantity >= self._minimum_notional
        ):
            return None
        return self.quantity(quantity) or self.price(price) or self.notional(price, quantity)

    def quantity(self, quantity: int) -> Refusal | None:
        show = self.rules.instrument.show_quantity
        if quantity <= 0:
            return Refusal(LocalCode.NOT_POSITIVE, f"a quantity of {show(quantity)}; it is to be above 0")
        if quantity > self._maximum:
            return Refusal(
                LocalCode.ABOVE_MAXIMUM, f"a quantity of {show(quantity)}; the most is {show(self._maximum)}"
            )
        if quantity % self._lot:
            return self._off_lot(quantity)
        if quantity < self._minimum:
            least = show(self._minimum)
            return Refusal(LocalCode.BELOW_MINIMUM, f"a quantity of {show(quantity)}; the least is {least}")
        return None

    def price(self, price: int) -> Refusal | None:
        show = self.rules.instrument.show_price
        if price <= 0:
            return Refusal(LocalCode.NOT_POSITIVE, f"a price of {show(price)}; it is to be above 0")
        if not self._lowest <= price <= self._highest:
            allowed = f"now it may be from {show(self._lowest)} to {show(self._highest)}"
            return Refusal(LocalCode.OUTSIDE_BAND, f"a price of {show(price)}; {allowed}")
        tick = self.ticks.at(price)
        if price % tick:
            near = f"{show(self.ticks.at_or_below(price))} and {show(self.ticks.at_or_above(price))} are"
            return Refusal(LocalCode.OFF_TICK, f"{show(price)} is no multiple of the tick {show(tick)}; {near}")
        return None

    def notional(self, price: int, quantity: int) -> Refusal | None:
        if price * quantity >= self._minimum_notional:
            return None
        show = self.rules.instrument.show_notional
        least = show(self._minimum_notional)
        return Refusal(
            LocalCode.BELOW_NOTIONAL, f"price times quantity is {show(price * quantity)}; the least is {least}"
        )

    def may_rest(self, price: int, quantity: int) -> Refusal | None:
        """Whether what is left of an order may go on standing at its price. Fills may have taken it below the minimums,
        but never off the lot."""
        return self._off_lot(quantity) if quantity % self._lot else self.price(price)

    def market_bound(self, best: int, is_buy: bool) -> int:
        """The worst price at which an order without a limit price may trade, when this is the best."""
        lowest, highest = band(best, self.rules.market_bound_bps)
        return highest if is_buy else lowest

    def _off_lot(self, quantity: int) -> Refusal:
        show, below = self.rules.instrument.show_quantity, quantity - quantity % self._lot
        near = f"{show(below)} and {show(below + self._lot)} are"
        return Refusal(LocalCode.OFF_LOT, f"{show(quantity)} is no multiple of the lot {show(self._lot)}; {near}")


def band(price: int, bps: int) -> tuple[int, int]:
    """The lowest and the highest whole price that is not further than `bps` from the price, and not negative."""
    lowest = -(-price * (BPS_ONE - bps) // BPS_ONE)
    return max(lowest, 0), min(price * (BPS_ONE + bps) // BPS_ONE, LARGEST)


def fault_of(rules: LocalRules) -> str | None:
    """Why no order could be judged by these rules."""
    begins = [tick_band.from_price for tick_band in rules.ticks]
    if not begins or begins[0] or any(upper <= lower for lower, upper in pairwise(begins)):
        return "the tick bands are to ascend from 0"
    if any(tick_band.tick <= 0 or tick_band.from_price % tick_band.tick for tick_band in rules.ticks):
        return "every tick is to be above 0, and a tick band is to begin at a multiple of its tick"
    if rules.lot <= 0:
        return "the lot is to be above 0"
    if rules.reference_price <= 0:
        return "the reference price is to be above 0"
    if min(rules.price_band_bps, rules.market_bound_bps) < 0:
        return "the price band and the market bound are not to be negative"
    return None
