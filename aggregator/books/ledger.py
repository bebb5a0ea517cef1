"""Who owns what: the participants' balances by double entry, and what of them is held for open orders.

Money is on ASSET_DECIMALS. Every change is a posting: entries that sum to zero in each asset, all made or none. Three
accounts are always there:

`custody`: where money comes from and leaves to. Its balance is what all others own together, with the sign turned. What
custody really holds is counted by people; no credit may bring what is owned above that count.

`fees`: what Busan has earned.

`house`: the other side of what was bought or sold for clients at partner venues. It is a position, and negative where
the venues hold for the house what it owes here; nothing but such fills brings it below zero.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from aggregator.books.ledger_refusals import (
    AccountReserved,
    AccountTaken,
    AccountUnknown,
    CustodyExceeded,
    HoldTaken,
    HoldTooSmall,
    HoldUnknown,
    MoneyRefused,
    NotCovered,
    NotItsTrade,
)
from aggregator.books.settlement import CUSTODY, FEES, HOUSE, Entry, Posting, of_fill, of_trade
from aggregator.domain.documents import Document, from_document, to_document
from aggregator.domain.errors import BrokenInvariant
from aggregator.domain.instrument import Fees, Instrument, Instruments, Side
from aggregator.domain.local import Traded
from aggregator.domain.numbers import RATE_ONE, format_decimal
from aggregator.domain.order import ASSET_DECIMALS, Fill, Money, Price, Quantity, base_money, quote_money
from aggregator.domain.order_events import LedgerAct, LedgerRequested
from aggregator.domain.plan import Rate


@dataclass(frozen=True, slots=True)
class Hold:
    """What is held for an open order: of a buyer the quote that `quantity` costs at `price` with a `fee`, a ratio on
    RATE_DECIMALS, and of a seller the quantity itself."""

    account: str
    instrument: Instrument
    side: Side
    quantity: Quantity
    price: Price
    fee: int

    @property
    def asset(self) -> str:
        return self.instrument.quote if self.side is Side.BUY else self.instrument.base

    @property
    def money(self) -> Money:
        """With the fee rounded up, while fees are taken rounded down: so the parts of an order never cost more than
        the whole of it holds."""
        if self.side is Side.SELL:
            return base_money(self.instrument, self.quantity)
        notional = quote_money(self.instrument, self.price * self.quantity)
        return notional - (-notional * self.fee // RATE_ONE)


@dataclass(slots=True)
class LedgerState:
    """`balances` by account and asset, zeros left out; `counted` is what custody holds by asset, as it was last
    counted, less what was debited since."""

    balances: dict[str, dict[str, Money]] = field(default_factory=lambda: {CUSTODY: {}, FEES: {}, HOUSE: {}})
    counted: dict[str, Money] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)


class Ledger:
    """Every method that changes it returns what was posted, or raises a LedgerRefused and has changed nothing."""

    def __init__(self, state: LedgerState | None = None) -> None:
        self._state = state or LedgerState()
        self._held: dict[tuple[str, str], Money] = defaultdict(int)
        for hold in self._state.holds.values():
            self._held[hold.account, hold.asset] += hold.money

    @property
    def accounts(self) -> tuple[str, ...]:
        return tuple(self._state.balances)

    @property
    def holds(self) -> Mapping[str, Hold]:
        return self._state.holds

    def total(self, account: str, asset: str) -> Money:
        """What the account owns, with what is held of it. 0 for an account that is not open."""
        return self._state.balances.get(account, {}).get(asset, 0)

    def held(self, account: str, asset: str) -> Money:
        return self._held.get((account, asset), 0)

    def free(self, account: str, asset: str) -> Money:
        return self.total(account, asset) - self.held(account, asset)

    def assets(self, account: str) -> tuple[str, ...]:
        """Those of which it has something."""
        return tuple(self._state.balances.get(account, ()))

    def owned(self, asset: str) -> Money:
        """What all accounts own together: what custody is to hold, since the house's position nets what its venues
        hold for clients."""
        return -self.total(CUSTODY, asset)

    def counted(self, asset: str) -> Money:
        return self._state.counted.get(asset, 0)

    def shortage(self, asset: str) -> Money:
        """By how much the last count of custody was below what is owned; 0 when nothing is missing."""
        return max(0, self.owned(asset) - self.counted(asset))

    def requested(self, event: LedgerRequested) -> Posting:
        """Do what an admin asks."""
        account, asset, money = event.account, event.asset, event.money
        match event.act:
            case LedgerAct.OPEN:
                return self.open_account(account)
            case LedgerAct.CUSTODY:
                return self.count_custody(asset, money)
            case LedgerAct.CREDIT:
                return self.credit(account, asset, money)
            case LedgerAct.DEBIT:
                return self.debit(account, asset, money)
            case LedgerAct.TRANSFER:
                return self.transfer(account, event.other, asset, money)

    def open_account(self, account: str) -> Posting:
        if account in self._state.balances:
            raise AccountTaken(f"account {account} is open already; choose another name")
        self._state.balances[account] = {}
        return ()

    def count_custody(self, asset: str, money: Money) -> Posting:
        """Take over what was counted. A count below what is owned is a fact, and taken as one: see `shortage`; nothing
        is credited until it is mended."""
        if money < 0:
            raise MoneyRefused(f"custody cannot hold {_shown(money)} {asset}; write what was counted, or 0")
        self._state.counted[asset] = money
        return ()

    def credit(self, account: str, asset: str, money: Money) -> Posting:
        """Money that has come into custody is the account's."""
        self._check_account(account)
        _check_money(money, asset)
        owned, counted = self.owned(asset) + money, self.counted(asset)
        if owned > counted:
            text = f"accounts would own {_shown(owned)} {asset}, but custody holds {_shown(counted)}"
            raise CustodyExceeded(f"{text}; count custody again once the money is there")
        return self._post([Entry(account, asset, money), Entry(CUSTODY, asset, -money)])

    def debit(self, account: str, asset: str, money: Money) -> Posting:
        """Money leaves custody, and counts as gone from it at once, whatever the last count said."""
        self._check_account(account)
        _check_money(money, asset)
        counted = self.counted(asset)
        if money > counted:
            text = f"{_shown(money)} {asset} cannot leave custody, which holds {_shown(counted)}"
            raise CustodyExceeded(f"{text}; bring it in from where the house has it, and count custody again")
        posting = self._post([Entry(account, asset, -money), Entry(CUSTODY, asset, money)])
        self._state.counted[asset] = counted - money
        return posting

    def transfer(self, account: str, other: str, asset: str, money: Money) -> Posting:
        self._check_account(account)
        self._check_account(other)
        _check_money(money, asset)
        return self._post([Entry(account, asset, -money), Entry(other, asset, money)])

    def hold(
        self, key: str, account: str, instrument: Instrument, side: Side, quantity: Quantity, price: Price, fee: int
    ) -> Hold:
        """Hold what an order may cost at most. `price` is its limit price, or the bound of a market order; `fee` the
        greatest ratio that it may be charged. The hold goes by itself when all its quantity is filled."""
        self._check_account(account)
        if key in self._state.holds:
            raise HoldTaken(f"something is held for {key} already; amend that hold")
        hold = Hold(account, instrument, side, quantity, price, fee)
        _check_money(hold.money, hold.asset)
        self._post([], {key: hold})
        return hold

    def reduce_hold(self, key: str, quantity: Quantity) -> None:
        """So much of the order is left, at most what was: the rest is free."""
        hold = self._hold(key)
        if not 0 <= quantity <= hold.quantity:
            show = hold.instrument.show_quantity
            raise HoldTooSmall(f"{key} holds for {show(hold.quantity)}, not for {show(quantity)}; amend it")
        self._post([], {key: replace(hold, quantity=quantity)})

    def amend_hold(self, key: str, quantity: Quantity, price: Price) -> None:
        """The order has another quantity left or another price, which may need more."""
        changed = replace(self._hold(key), quantity=quantity, price=price)
        _check_money(changed.money, changed.asset)
        self._post([], {key: changed})

    def release(self, key: str) -> None:
        """The order is over: what is still held for it is free."""
        self._post([], {key: replace(self._hold(key), quantity=0)})

    def settle(self, trade: Traded, fees: Fees, maker_hold: str = "", taker_hold: str = "") -> Posting:
        """Both sides of a trade in the local book, each out of its hold, by default the one under its order's id, and
        fees in quote from both. What a buyer pays less than was held for this quantity is free."""
        sides = (
            (maker_hold or trade.maker_id, trade.maker_account, _other(trade.taker_side)),
            (taker_hold or trade.taker_id, trade.taker_account, trade.taker_side),
        )
        left = {key: self._filled(key, side, trade.instrument, trade.quantity) for key, _, side in sides}
        for key, account, _ in sides:
            if left[key].account != account:
                raise NotItsTrade(f"{key} holds for {left[key].account}, but {account} traded")
        return self._post(of_trade(trade, fees), left)

    def settle_outside(self, fill: Fill, key: str, rate: Rate | None = None) -> Posting:
        """A fill of the house at a partner venue, passed on to the client whose hold this is: see `of_fill`."""
        hold = self._hold(key)
        posting = of_fill(fill, hold.account, hold.instrument, rate)
        # On the scale of the client's instrument: a part below it stays held until the order ends.
        quantity = base_money(fill.instrument, fill.quantity) // base_money(hold.instrument, 1)
        left = self._filled(key, fill.side, hold.instrument, quantity)
        return self._post(posting, {key: left}, below_zero=HOUSE)

    def document(self) -> Document:
        return to_document(self._state)

    @classmethod
    def restore(cls, document: Document, instruments: Instruments) -> Ledger:
        """Raises DocumentRefused for what is no ledger's document, BrokenInvariant for one that contradicts itself."""
        ledger = cls(from_document(LedgerState, document, instruments))
        ledger.check()
        return ledger

    def check(self) -> None:
        sums: dict[str, Money] = defaultdict(int)
        for account, balances in self._state.balances.items():
            for asset, money in balances.items():
                sums[asset] += money
                if money == 0 or (money < 0 and account not in (CUSTODY, HOUSE)):
                    raise BrokenInvariant(f"the ledger keeps {_shown(money)} {asset} for {account}")
        for asset, total in sums.items():
            if total:
                raise BrokenInvariant(f"the ledger is out of balance by {_shown(total)} {asset}")
        held: dict[tuple[str, str], Money] = defaultdict(int)
        for key, hold in self._state.holds.items():
            held[hold.account, hold.asset] += hold.money
            if hold.quantity <= 0 or hold.account not in self._state.balances:
                raise BrokenInvariant(f"{key} holds for {hold.quantity} of {hold.account}")
        if held != {place: money for place, money in self._held.items() if money}:
            raise BrokenInvariant("what is held is not the sum of the holds")
        for (account, asset), money in held.items():
            if account != HOUSE and money > self.total(account, asset):
                raise BrokenInvariant(f"{_shown(money)} {asset} of {account} is held, more than it has")

    def _check_account(self, account: str) -> None:
        if account == CUSTODY:
            raise AccountReserved("custody is moved by credits and debits of other accounts; name one of those")
        if account not in self._state.balances:
            raise AccountUnknown(f"no account is called {account}; open it first")

    def _hold(self, key: str) -> Hold:
        hold = self._state.holds.get(key)
        if hold is None:
            raise HoldUnknown(f"nothing is held for {key}")
        return hold

    def _filled(self, key: str, side: Side, instrument: Instrument, quantity: int) -> Hold:
        """What is left of a hold after a fill."""
        hold = self._hold(key)
        if (hold.side, hold.instrument) != (side, instrument):
            held_for = f"{hold.side} {hold.instrument.name}"
            raise NotItsTrade(f"{key} holds for {held_for}, but it was a {side} of {instrument.name}")
        if quantity > hold.quantity:
            show = instrument.show_quantity
            raise HoldTooSmall(f"{key} holds for {show(hold.quantity)}, but {show(quantity)} was filled")
        return replace(hold, quantity=hold.quantity - quantity)

    def _post(
        self, entries: Iterable[Entry], holds: Mapping[str, Hold] | None = None, below_zero: str = CUSTODY
    ) -> Posting:
        """Make all entries and changes of holds, or none. Only custody, and one account more, may end below zero."""
        posting = tuple(entry for entry in entries if entry.change)
        totals: dict[tuple[str, str], Money] = defaultdict(int)
        freed: dict[tuple[str, str], Money] = defaultdict(int)
        for account, asset, change in posting:
            totals[account, asset] += change
        for key, hold in (holds or {}).items():
            before = self._state.holds.get(key)
            freed[hold.account, hold.asset] += (before.money if before else 0) - hold.money
        for account, asset in totals.keys() | freed.keys():
            change = totals.get((account, asset), 0) + freed.get((account, asset), 0)
            free = self.free(account, asset)
            # An account that is below zero already, the house, may still come closer to it.
            if free + change < min(0, free) and account not in (CUSTODY, below_zero):
                text = f"{account} has {_shown(free)} {asset} free, {_shown(-change)} is needed"
                raise NotCovered(f"{text}; credit it, or ask for less")
        self._make(totals, freed, holds or {})
        return posting

    def _make(
        self,
        totals: Mapping[tuple[str, str], Money],
        freed: Mapping[tuple[str, str], Money],
        holds: Mapping[str, Hold],
    ) -> None:
        for (account, asset), change in totals.items():
            balances = self._state.balances[account]
            balances[asset] = balances.get(asset, 0) + change
            if not balances[asset]:
                del balances[asset]
        for place, money in freed.items():
            self._held[place] -= money
        for key, hold in holds.items():
            if hold.quantity:
                self._state.holds[key] = hold
            else:
                del self._state.holds[key]


def _other(side: Side) -> Side:
    return Side.SELL if side is Side.BUY else Side.BUY


def _check_money(money: Money, asset: str) -> None:
    if money <= 0:
        raise MoneyRefused(f"{_shown(money)} {asset} is nothing to move or to hold; write a positive figure")


def _shown(money: Money) -> str:
    return format_decimal(money, ASSET_DECIMALS)
