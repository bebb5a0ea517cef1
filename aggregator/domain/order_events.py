"""What happened on the order side. These events, unlike the market's, are journaled before anything they cause leaves.

`received_ns` is when it came, by our clock, and `venue_time_ns` the venue's own time (0 where it states none); ns since
the Unix epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from aggregator.domain.instrument import Instrument
from aggregator.domain.lifecycle import Word
from aggregator.domain.local import BookState, LocalRules
from aggregator.domain.order import Fill, Money, OrderTerms, Price, Quantity
from aggregator.domain.switches import VenueSwitched


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """What an account may do; None is no such limit. Notionals are money in the asset that an instrument is quoted in,
    and a quote asset that is not named has none allowed once any is named.

    `order_notional` bounds one order, `open_notional` what all open ones may still fill, at every venue together and
    `venue_open_notional` at one of them, `orders_per_second` their rate, `collar_bps` how far a limit price may be on
    the wrong side of the mid price.
    """

    order_notional: Mapping[str, Money] | None = None
    open_notional: Mapping[str, Money] | None = None
    venue_open_notional: Mapping[str, Money] | None = None
    orders_per_second: int | None = None
    collar_bps: int | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """The process has begun, or begun again. `instance` distinguishes this journal from every other, in ids: 6
    characters of [a-z0-9]. What was on its way when it ended is in doubt. `venues` are those that orders can go to:
    each is to be reconciled before anything new leaves for it."""

    received_ns: int
    instance: str
    venues: tuple[str, ...] = ()
    limits: Mapping[str, RiskLimits] = field(default_factory=dict)
    """By account; `*` is every other account."""


@dataclass(frozen=True, slots=True)
class OrderRequested:
    received_ns: int
    terms: OrderTerms


@dataclass(frozen=True, slots=True)
class CancelRequested:
    received_ns: int
    account: str
    order_id: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class CancelAllRequested:
    """Every open order of the account (`*`: of all), of one instrument or of any."""

    received_ns: int
    account: str
    instrument: str | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class AmendRequested:
    """Another quantity (in all, what is filled included), another limit price, or both."""

    received_ns: int
    account: str
    order_id: str
    instrument: Instrument
    quantity: Quantity | None = None
    limit_price: Price | None = None


@dataclass(frozen=True, slots=True)
class HaltSwitched:
    """On: nothing new leaves. Cancels still do."""

    received_ns: int
    is_halted: bool
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Timer:
    """Something that waited for this moment is due."""

    now_ns: int

    @property
    def received_ns(self) -> int:
        return self.now_ns


@dataclass(frozen=True, slots=True)
class ListingSet:
    """Busan lists this instrument, under these rules from now on; `state` is that of a book that is new."""

    received_ns: int
    rules: LocalRules
    state: BookState
    by: str = ""


@dataclass(frozen=True, slots=True)
class BookTurned:
    """A local book opens, halts or closes, by its calendar or by a person."""

    received_ns: int
    instrument: Instrument
    state: BookState
    by: str
    reason: str = ""


class LedgerAct(StrEnum):
    OPEN = "open"
    """Open an account; asset and money say nothing."""
    CUSTODY = "custody"
    """What custody holds of the asset in all, as it was counted."""
    CREDIT = "credit"
    DEBIT = "debit"
    TRANSFER = "transfer"
    """From the account to `other`."""


@dataclass(frozen=True, slots=True)
class LedgerRequested:
    """An admin's entry in the ledger. `reference` names the paper that it rests on."""

    received_ns: int
    act: LedgerAct
    account: str
    asset: str
    money: Money
    by: str
    other: str = ""
    reference: str = ""


class About(StrEnum):
    """What an execution report answers."""

    PLACE = "place"
    CANCEL = "cancel"
    ASK = "ask"
    """A question for the order, by our id."""
    STREAM = "stream"
    """Nothing: the venue told it by itself."""


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """What a venue, or the way to it, says of one child. `word` is it in our words, `raw` in the venue's.

    `executed` is what the venue says is filled in all, None where it does not say. About a cancel, `rejected` says that
    the venue would not cancel (it may have ended already), `not_sent` that the cancel never left, and `in_doubt` that
    nobody knows; `received` that it will.
    """

    venue: str
    child_id: str
    instrument: Instrument
    received_ns: int
    word: Word
    about: About
    raw: str = ""
    executed: Quantity | None = None
    venue_order_id: str = ""
    reason: str = ""
    venue_time_ns: int = 0


@dataclass(frozen=True, slots=True)
class FillReported:
    received_ns: int
    fill: Fill
    venue_order_id: str = ""


@dataclass(frozen=True, slots=True)
class Balance:
    """`total` includes what open orders hold; `free` does not."""

    total: Money
    free: Money


@dataclass(frozen=True, slots=True)
class BalancesRead:
    """The account at a venue. `is_whole`: assets that are not named are at 0; else only these have changed."""

    venue: str
    received_ns: int
    balances: Mapping[str, Balance]
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class OpenOrdersRead:
    """Every open order of the account at the venue: our ids, and, of orders that are not ours, the venue's."""

    venue: str
    received_ns: int
    child_ids: tuple[str, ...]
    foreign: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FeesRead:
    """The account's own fee tier for one instrument, ratios on RATE_DECIMALS."""

    venue: str
    received_ns: int
    instrument: Instrument
    maker: int
    taker: int


@dataclass(frozen=True, slots=True)
class AccountStream:
    """Whether the venue's private stream tells us of our orders. While it does not, they are asked after."""

    venue: str
    received_ns: int
    is_live: bool
    reason: str = ""


ClientEvent = OrderRequested | CancelRequested | CancelAllRequested | AmendRequested | HaltSwitched | VenueSwitched
LocalRequest = ListingSet | BookTurned | LedgerRequested
VenueOrderEvent = ExecutionReport | FillReported | BalancesRead | OpenOrdersRead | FeesRead | AccountStream
OrderEvent = Started | Timer | ClientEvent | LocalRequest | VenueOrderEvent
"""What is journaled."""
