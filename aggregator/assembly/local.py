"""Busan's own books as they are configured: listed at the start, opened and closed by their hours, and, in the demo,
with participants whose orders look alive."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from random import Random

from aggregator.config.listings import Listings
from aggregator.domain.effects import Effect, RequestAnswered
from aggregator.domain.instrument import Instruments, Side
from aggregator.domain.local import BookState, LocalRules
from aggregator.domain.numbers import POWERS, parse_decimal
from aggregator.domain.order import ASSET_DECIMALS, OrderTerms, OrderType, TimeInForce
from aggregator.domain.order_events import (
    BookTurned,
    CancelRequested,
    LedgerAct,
    LedgerRequested,
    ListingSet,
    OrderEvent,
    OrderRequested,
)
from aggregator.engine.orders import Orders

Ask = Callable[[OrderEvent], Awaitable[Sequence[Effect]]]

LOOK_EVERY_S = 1


def listed(listings: Listings, orders: Orders, instruments: Instruments, now_ns: int) -> list[ListingSet]:
    """What the engine is to be told so that it lists what is configured, under the rules that are."""
    events: list[ListingSet] = []
    for rules, listing in zip(listings.local_rules(instruments.listed), listings.listings, strict=True):
        book = orders.local.books.get(rules.instrument.name)
        if book is None or book.rules != rules:
            events.append(ListingSet(now_ns, rules, listing.state_at(now_ns), "configuration"))
    return events


async def keep_hours(
    listings: Listings, orders: Orders, instruments: Instruments, ask: Ask, clock_ns: Callable[[], int]
) -> None:
    """Open and close, until cancelled, the books that have hours, when an hour strikes. A book that a person has halted
    stays so until a person opens it."""
    timed = [
        (rules.instrument, listing)
        for rules, listing in zip(listings.local_rules(instruments.listed), listings.listings, strict=True)
        if listing.hours is not None
    ]
    struck: dict[str, BookState] = {}
    while True:
        for instrument, listing in timed:
            wanted, book = listing.state_at(clock_ns()), orders.local.books.get(instrument.name)
            is_news = struck.get(instrument.name) is not wanted
            struck[instrument.name] = wanted
            if is_news and book is not None and book.state not in (wanted, BookState.HALTED):
                await ask(BookTurned(clock_ns(), instrument, wanted, "calendar", "its hours"))
        await asyncio.sleep(LOOK_EVERY_S)


class Participants:
    """Simulated participants of the demo. Makers keep quotes a little around what the partners' market says, takers
    come and go, and all of it is drawn from one seed. `fair` tells an instrument's price in its own quote, None while
    it is not known."""

    MAKERS = ("maker-1", "maker-2", "maker-3")
    TAKERS = ("taker-1", "taker-2")
    QUOTES_EACH = 12
    WIDEST_BPS = 40
    PAUSE_S = 0.25

    def __init__(
        self,
        rules: Sequence[LocalRules],
        ask: Ask,
        clock_ns: Callable[[], int],
        fair: Callable[[LocalRules], int | None],
        seed: int,
    ) -> None:
        self._rules = rules
        self._ask = ask
        self._clock_ns = clock_ns
        self._fair = fair
        self._random = Random(f"participants, seed {seed}")
        self._numbers = count(1)
        self._resting: dict[tuple[str, str], list[str]] = {}

    async def open_accounts(self, others: Sequence[str] = ()) -> None:
        """With money for all that the demo can think of. What is open already is left as it is."""
        bases = {rules.instrument.base for rules in self._rules}
        quotes = {rules.instrument.quote for rules in self._rules}
        accounts = (*self.MAKERS, *self.TAKERS, *others)
        for asset in sorted(bases | quotes | {"USDT"}):
            await self._act(LedgerAct.CUSTODY, "custody", asset, "1000000000000")
        for account in accounts:
            if not await self._act(LedgerAct.OPEN, account, "", "0"):
                continue
            for asset, amount in [
                *((base, "500") for base in sorted(bases)),
                ("KRW", "50000000000"),
                ("USDT", "20000000"),
            ]:
                await self._act(LedgerAct.CREDIT, account, asset, amount)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            for rules in self._rules:
                fair = self._fair(rules)
                if fair is not None:
                    await self._turn(rules, fair)
            await asyncio.sleep(self.PAUSE_S)

    async def _turn(self, rules: LocalRules, fair: int) -> None:
        chance = self._random.randrange(100)
        if chance < 75:
            await self._requote(rules, fair, self._random.choice(self.MAKERS))
        elif chance < 95:
            await self._take(rules, self._random.choice(self.TAKERS))

    async def _requote(self, rules: LocalRules, fair: int, maker: str) -> None:
        """One more quote; the oldest goes when there are enough."""
        side = self._random.choice((Side.BUY, Side.SELL))
        near, far = sorted(self._random.randrange(1, self.WIDEST_BPS) for _ in range(2))
        distance = fair * (near if self._random.randrange(4) else far) // 10_000
        price = fair - distance if side is Side.BUY else fair + distance
        price -= price % rules.tick_at(price)
        resting = self._resting.setdefault((maker, rules.instrument.name), [])
        order_id = await self._place(rules, maker, side, price, TimeInForce.GTC)
        resting += [order_id] if order_id else []
        if len(resting) > self.QUOTES_EACH:
            await self._ask(CancelRequested(self._clock_ns(), maker, resting.pop(0), maker))

    async def _take(self, rules: LocalRules, taker: str) -> None:
        await self._place(rules, taker, self._random.choice((Side.BUY, Side.SELL)), None, TimeInForce.IOC)

    async def _place(self, rules: LocalRules, account: str, side: Side, price: int | None, force: TimeInForce) -> str:
        """The order's id when it was taken on."""
        instrument = rules.instrument
        quantity = self._random.randrange(5, 400) * POWERS[instrument.quantity_decimals] // 1000
        quantity -= quantity % rules.lot
        name = f"{account}-{self._clock_ns():x}-{next(self._numbers)}"
        kind = OrderType.MARKET if price is None else OrderType.LIMIT
        terms = OrderTerms(
            account, name, instrument, side, kind, quantity, price, force, venues=("busan",), medium="simulated"
        )
        effects = await self._ask(OrderRequested(self._clock_ns(), terms))
        answer = _answer(effects)
        return "" if answer.code else answer.order_ids[0]

    async def _act(self, act: LedgerAct, account: str, asset: str, amount: str) -> bool:
        money = parse_decimal(amount, ASSET_DECIMALS)
        effects = await self._ask(LedgerRequested(self._clock_ns(), act, account, asset, money, "demo"))
        return not _answer(effects).code


def _answer(effects: Sequence[Effect]) -> RequestAnswered:
    return next(effect for effect in effects if isinstance(effect, RequestAnswered))
