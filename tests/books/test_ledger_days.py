"""Random days of the ledger beside its naive twin: they allow and refuse the same, and own the same at each step."""

import os
from random import Random

import pytest

from aggregator.books.ledger import Ledger
from aggregator.books.ledger_refusals import LedgerRefused
from aggregator.domain.instrument import Fees, Instrument, Instruments, Side
from aggregator.domain.local import Traded
from aggregator.domain.order import ASSET_DECIMALS, Fill, Liquidity
from aggregator.domain.plan import NET_ONE, Rate
from tests.twins.ledger import NaiveLedger, OpenOrder

INSTRUMENTS = (
    Instrument("BTC/KRW", "BTC", "KRW", 0, 2),
    Instrument("ETH/KRW", "ETH", "KRW", 24, 24),
    Instrument("BTC/USDT", "BTC", "USDT", 3, 2),
)
"""Coarse ones, and one on the finest scales, where a fee cannot be exact."""

ASSETS = ("KRW", "BTC", "ETH", "USDT")
PARTICIPANTS = ("ann", "bob", "cho")
ACCOUNTS = (*PARTICIPANTS, "fees", "house")
FEES = Fees(40_000, 70_001)
UNIT = 10**ASSET_DECIMALS
DAYS = 400 if os.environ.get("AGGREGATOR_LONG_RUN") else 12
STEPS = 250


class Day:
    """One random day on both ledgers."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.ledger, self.naive = Ledger(), NaiveLedger()
        self.admin = dict.fromkeys(ASSETS, 0)
        """By asset, what admins brought in and took out."""
        self.keys = 0
        self.allowed = self.refused = 0
        for account in PARTICIPANTS:
            self.ledger.open_account(account)
            self.naive.accounts.add(account)
        for asset in ASSETS:
            self.count(asset, 2_000 * UNIT)
            for account in PARTICIPANTS:
                self.step_credit(account, asset, self.random.randint(1, 600 * UNIT))

    def same(self, did: bool, change) -> bool:
        """The ledger allows the change if, and only if, its twin did."""
        before = None if did else self.ledger.document()
        try:
            posting = change()
        except LedgerRefused:
            assert not did, "the twin allowed it"
            assert self.ledger.document() == before, "refused, and yet changed"
            self.refused += 1
            return False
        assert did, "the twin refused it"
        for asset in ASSETS if isinstance(posting, tuple) else ():
            assert sum(entry.change for entry in posting if entry.asset == asset) == 0
        self.allowed += 1
        return True

    def count(self, asset: str, money: int) -> None:
        self.naive.counted[asset] = money
        self.same(True, lambda: self.ledger.count_custody(asset, money))

    def step_credit(self, account: str, asset: str, money: int) -> None:
        if self.same(self.naive.credit(account, asset, money), lambda: self.ledger.credit(account, asset, money)):
            self.admin[asset] += money

    def step_debit(self, account: str, asset: str, money: int) -> None:
        if self.same(self.naive.debit(account, asset, money), lambda: self.ledger.debit(account, asset, money)):
            self.admin[asset] -= money

    def step_transfer(self, account: str, asset: str, money: int) -> None:
        other = self.random.choice(ACCOUNTS)
        did = self.naive.transfer(account, other, asset, money)
        self.same(did, lambda: self.ledger.transfer(account, other, asset, money))

    def step_hold(self) -> None:
        instrument = self.random.choice(INSTRUMENTS[:2])
        account = self.random.choice([*PARTICIPANTS, "house"])
        side, price, quantity = self.random.choice(list(Side)), self.price(instrument), self.quantity(instrument)
        key = self.random.choice([f"o{self.keys}"] * 5 + [self.key()])
        self.keys += 1
        order = OpenOrder(account, instrument, side, quantity, price, FEES.taker)
        did = self.naive.hold(key, order)
        self.same(did, lambda: self.ledger.hold(key, account, instrument, side, quantity, price, FEES.taker))

    def step_reduce(self) -> None:
        key = self.key()
        order = self.naive.open.get(key)
        quantity = self.random.randint(0, order.quantity + order.quantity // 8) if order else 0
        self.same(self.naive.reduce(key, quantity), lambda: self.ledger.reduce_hold(key, quantity))

    def step_amend(self) -> None:
        key = self.key()
        instrument = self.naive.open[key].instrument if key in self.naive.open else INSTRUMENTS[0]
        quantity, price = self.quantity(instrument), self.price(instrument)
        self.same(self.naive.amend(key, quantity, price), lambda: self.ledger.amend_hold(key, quantity, price))

    def step_release(self) -> None:
        key = self.key()
        self.same(self.naive.reduce(key, 0), lambda: self.ledger.release(key))

    def step_trade(self) -> None:
        maker, taker = self.key(), self.key()
        first, second = self.naive.open.get(maker), self.naive.open.get(taker)
        if first is None or second is None or first.side is second.side or self.random.random() < 0.05:
            first = second = self.random.choice(
                [*self.naive.open.values(), OpenOrder("x", INSTRUMENTS[0], Side.BUY, 1, 1, 0)]
            )
        most = max(1, min(first.quantity, second.quantity))
        quantity = self.random.choice([most, self.random.randint(1, most), most + 1])
        buyer = first if first.side is Side.BUY else second
        price = max(1, buyer.price - self.random.randint(0, 3) + (self.random.random() < 0.1))
        trade = Traded(
            1, 1, first.instrument, maker, taker, first.account, second.account, second.side, price, quantity, 0, 0
        )
        self.same(self.naive.settle(trade, FEES), lambda: self.ledger.settle(trade, FEES))

    def step_outside(self) -> None:
        key = self.key()
        order = self.naive.open.get(key)
        if order is None:
            return
        is_abroad = order.instrument is INSTRUMENTS[0] and self.random.random() < 0.7
        instrument = INSTRUMENTS[2] if is_abroad else order.instrument
        rate = Rate("USDT", "KRW", self.random.randint(1, 3 * NET_ONE), "market", 1, 1) if is_abroad else None
        if is_abroad and self.random.random() < 0.1:
            rate = self.random.choice([None, Rate("USDC", "KRW", NET_ONE, "market", 1, 1)])
        price = max(1, order.price * (300 if is_abroad else 1) + self.random.randint(-2, 1))
        quantity = self.random.randint(1, order.quantity + 1)
        asset = self.random.choice([instrument.base, instrument.quote, "BNB"])
        fee = self.random.choice([0, self.random.randint(0, UNIT // 1000), -self.random.randint(0, UNIT // 10**6)])
        fill = Fill("gateio", key, instrument, "f", order.side, price, quantity, fee, asset, Liquidity.TAKER, 0, 0)
        self.same(self.naive.settle_outside(fill, key, rate), lambda: self.ledger.settle_outside(fill, key, rate))

    def step(self) -> None:
        account, asset = self.random.choice([*ACCOUNTS, "eve"]), self.random.choice(ASSETS)
        money = self.random.choice([0, 1, self.random.randint(-UNIT, 200 * UNIT)])
        steps = [
            lambda: self.step_credit(account, asset, money),
            lambda: self.step_debit(account, asset, money),
            lambda: self.step_transfer(account, asset, money),
            lambda: self.count(asset, self.random.randint(0, 3_000 * UNIT)),
            self.step_reduce,
            self.step_amend,
            self.step_release,
            *[self.step_hold] * 6,
            *[self.step_trade] * 8,
            *[self.step_outside] * 4,
        ]
        self.random.choice(steps)()

    def check(self) -> None:
        self.ledger.check()
        for asset in ASSETS:
            assert self.ledger.owned(asset) == self.admin[asset], "only admins bring in and take out"
            for account in ACCOUNTS:
                assert self.ledger.total(account, asset) == self.naive.total(account, asset)
                assert self.ledger.held(account, asset) == self.naive.held(account, asset)
                assert account == "house" or self.ledger.free(account, asset) >= 0
        assert self.ledger.holds.keys() == self.naive.open.keys()

    def key(self) -> str:
        return self.random.choice([*self.naive.open, "none"])

    def price(self, instrument: Instrument) -> int:
        whole: int = 10**instrument.price_decimals
        return self.random.randint(1, 9) * whole + self.random.choice([0, 1])

    def quantity(self, instrument: Instrument) -> int:
        return self.random.randint(0, 30 * 10**instrument.quantity_decimals)


@pytest.mark.parametrize("seed", range(DAYS))
def test_a_random_day_is_the_twins_day(seed: int) -> None:
    day = Day(seed)
    for number in range(STEPS):
        day.step()
        if number % 10 == 0:
            day.check()
    day.check()
    assert day.allowed > STEPS // 5
    assert day.refused > STEPS // 20
    again = Ledger.restore(day.ledger.document(), Instruments(INSTRUMENTS))
    assert again.document() == day.ledger.document()
    for key in list(again.holds):
        again.release(key)
    again.check()
    assert all(again.held(account, asset) == 0 for account in ACCOUNTS for asset in ASSETS)


def test_every_kind_of_step_is_both_allowed_and_refused() -> None:
    """Else the days above would prove less than they say."""
    seen: dict[str, set[bool]] = {}
    for seed in range(8):
        day = Day(seed)
        for name in ("credit", "debit", "transfer", "hold", "amend", "reduce", "settle", "settle_outside"):
            watched = getattr(day.naive, name)

            def record(*arguments, name=name, watched=watched):
                did = watched(*arguments)
                seen.setdefault(name, set()).add(did)
                return did

            setattr(day.naive, name, record)
        for _ in range(STEPS):
            day.step()
    assert len(seen) == 8
    assert all(outcomes == {True, False} for outcomes in seen.values()), seen
