"""What goes in and out over HTTP, declared once: requests are decoded and judged by it, answers proven by tests, and
the OpenAPI document is made of it.

Decimals are strings, times ns since the Unix epoch. A `description` of a field of a request completes the sentence
"give ...", with which a value that does not fit is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from aggregator.books.consolidated import View
from aggregator.config.keys import Scope
from aggregator.domain.book import Health
from aggregator.domain.instrument import Side
from aggregator.domain.lifecycle import ChildState
from aggregator.domain.local import BookState
from aggregator.domain.numbers import MAX_TEXT
from aggregator.domain.order import Liquidity, OrderType, ParentState, TimeInForce
from aggregator.domain.order_events import LedgerAct
from aggregator.domain.plan import Dust, Shortfall
from aggregator.domain.switches import VenueState

_POSITIVE = f'a positive decimal such as "0.5": more than 0, at most {MAX_TEXT} characters, without sign or exponent'
_NAME = "letters, digits, _, ., : and -"

# `$` alone would let a line feed pass after it.
Positive = Annotated[
    str,
    Meta(pattern=r"^(?=[0-9.]*[1-9])[0-9]*\.?[0-9]*$(?!\n)", max_length=MAX_TEXT, description=_POSITIVE),
]
Symbol = Annotated[
    str, Meta(min_length=1, max_length=64, description="a symbol such as BTC/USDT or btc-usdt", examples=["BTC/USDT"])
]
ClientOrderId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,64}$(?!\n)", description=f"1 to 64 {_NAME}")]
Strategy = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9_.:-]{0,64}$(?!\n)", description=f"at most 64 {_NAME}, or leave it out")
]
Chosen = Annotated[
    list[str],
    Meta(max_length=64, description="some of the venues, or leave it out", extra_json_schema={"minItems": 1}),
]

Decimal = Annotated[str, Meta(pattern=r"^-?[0-9]+(\.[0-9]+)?$")]
Ns = Annotated[int, Meta(ge=0, description="ns since the Unix epoch; 0 for never")]
Duration = Annotated[int, Meta(ge=0, description="ns")]
Count = Annotated[int, Meta(ge=0)]
Status = Annotated[Literal["open", "ended"], Meta(description="open or ended, or leave it out")]
Page = Annotated[int, Meta(ge=1, le=200, description="a whole number from 1 to 200")]
After = Annotated[str, Meta(max_length=200, description="the `next` of the page before, or leave it out")]
AnyAccount = Annotated[
    str,
    Meta(
        pattern=r"^(\*|[A-Za-z0-9_.:-]{1,64})$(?!\n)",
        description="another account, or * for all, which needs scope oversight or admin; left out, the key's own",
    ),
]
OrderName = Annotated[str, Meta(max_length=200, description="its order_id, or client: and its client_order_id")]


class BookQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """How deep, in which view, and of which venues."""

    depth: Annotated[int, Meta(ge=1, le=1000, description="a whole number from 1 to 1000")] = 50
    view: Annotated[View, Meta(description="gross or net; net has each venue's taker fee in it")] = View.GROSS
    venues: Annotated[str, Meta(description="some of the venues, with commas between them")] | None = None


class OrderQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose order. An order_id needs it not; a client_order_id of another account does."""

    account: AnyAccount | None = None


class OrdersQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Which orders, and which page of them."""

    status: Status | None = None
    limit: Page = 50
    after: After | None = None
    account: AnyAccount | None = None


class FillsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Of which order, and which page of them."""

    order: OrderName | None = None
    limit: Page = 50
    after: After | None = None
    account: AnyAccount | None = None


class CancelAllQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """All of the account's orders, or those of one instrument; an admin's word for another account, or for all."""

    symbol: Symbol | None = None
    account: AnyAccount | None = None


class QuoteBody(Struct, forbid_unknown_fields=True):
    """Either `quantity`, in base, or `notional`, in quote with all costs in it."""

    symbol: Symbol
    side: Side
    quantity: Positive | None = None
    notional: Positive | None = None
    limit_price: Positive | None = None
    venues: Chosen | None = None


class PlaceBody(Struct, forbid_unknown_fields=True):
    """A parent order; `quantity` is in base. The same `client_order_id` never makes a second one."""

    client_order_id: ClientOrderId
    symbol: Symbol
    side: Side
    type: OrderType
    quantity: Positive
    time_in_force: TimeInForce
    limit_price: Positive | None = None
    post_only: bool = False
    venues: Chosen | None = None
    strategy: Strategy = ""


class AmendBody(Struct, forbid_unknown_fields=True):
    """Another quantity in all, what is filled included, another limit price, or both."""

    quantity: Positive | None = None
    limit_price: Positive | None = None


Reason = Annotated[
    str, Meta(max_length=200, pattern=r"\S", description="one line of at most 200 characters; everyone sees it")
]


class HaltBody(Struct, forbid_unknown_fields=True):
    """Why nothing may leave."""

    reason: Reason


class VenueSwitchBody(Struct, forbid_unknown_fields=True):
    """How far a venue is to be used from now on. What is left out stays as it is."""

    reason: Reason
    display: Annotated[bool, Meta(description="whether its books are in the consolidated book")] | None = None
    route: Annotated[bool, Meta(description="whether new orders may go there")] | None = None
    state: (
        Annotated[
            VenueState,
            Meta(description="draining takes nothing new and ends as off; off cancels what rests there first"),
        ]
        | None
    ) = None


class VenueBody(Struct, forbid_unknown_fields=True):
    """A new venue, as its file would have it."""

    file: Annotated[str, Meta(min_length=1, max_length=60_000, description="the text of a venue file, in YAML")]
    reason: Reason


Account = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,64}$(?!\n)", description=f"an account: 1 to 64 {_NAME}")]
AssetName = Annotated[str, Meta(pattern=r"^[A-Z0-9]{1,16}$(?!\n)", description="an asset such as KRW")]


class LedgerBody(Struct, forbid_unknown_fields=True):
    """An admin's entry in the ledger. `open` needs an account; `custody` an asset and what was counted of it; `credit`
    and `debit` an account, an asset and the money; `transfer` the account it goes to as well, as `other`. `reference`
    names the paper that it rests on."""

    act: Annotated[LedgerAct, Meta(description="open, custody, credit, debit or transfer")]
    account: Account | None = None
    asset: AssetName | None = None
    money: Positive | None = None
    other: Account | None = None
    reference: Annotated[str, Meta(max_length=200, description="at most 200 characters, or leave it out")] = ""


class BookStateBody(Struct, forbid_unknown_fields=True):
    """What a local book is to be, and why."""

    state: Annotated[BookState, Meta(description="pre_open, open, halted or closed")]
    reason: Annotated[str, Meta(max_length=200, pattern=r"\S", description="one line of at most 200 characters")]


class LedgerQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose."""

    account: Account | None = None


class TradesQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Of which of Busan's listings, and how many."""

    symbol: Symbol | None = None
    limit: Page = 50


class LinkBody(Struct, forbid_unknown_fields=True):
    """A one-time link, or what stands behind its `#`."""

    link: str


def _with(*names: str, **fixed: object) -> dict[str, object]:
    """These are there, and not null; those are one of what is given."""
    there = {name: {"type": "string"} for name in names}
    return {"required": list(names), "properties": {**there, **{name: {"enum": told} for name, told in fixed.items()}}}


_PLACED_AT_MARKET = _with(type=["market"], limit_price=[None], time_in_force=["IOC", "FOK"], post_only=[False])
_TAKING = _with("limit_price", type=["limit"], post_only=[False])
_RESTING = _with("limit_price", type=["limit"], time_in_force=["GTC"])

RELATIONS: Mapping[object, Mapping[str, object]] = {
    QuoteBody: {"oneOf": [_with("quantity", notional=[None]), _with("notional", quantity=[None])]},
    PlaceBody: {"anyOf": [_PLACED_AT_MARKET, _TAKING, _RESTING]},
    AmendBody: {"anyOf": [_with("quantity"), _with("limit_price")]},
}
"""What members of a body have to do with one another, as JSON Schema. The routes judge it, in words of their own."""


class Answer(Struct, forbid_unknown_fields=True):
    """What is answered. Programs must take it that further members may come with later versions."""


class Listing(Answer):
    """An instrument's rules, fees (as ratios) and spelling on one venue; 0 is no such rule."""

    venue: str
    symbol: str
    tick: Decimal
    lot: Decimal
    minimum_quantity: Decimal
    minimum_notional: Decimal
    maker_fee: Decimal
    taker_fee: Decimal
    tradable: bool


class Instrument(Answer):
    """Where an instrument is listed."""

    symbol: str
    listings: list[Listing]


class Instruments(Answer):
    """All that is listed anywhere."""

    instruments: list[Instrument]


class Connection(Answer):
    """How a venue's connections fare. The clock's offset is the venue's clock less ours, right to within its error."""

    connections: Count
    open_connections: Count
    connects: Count
    last_failure: str
    heard_ns: Ns
    frames: Count
    fetches_waiting: Count
    weight_used: Count
    weight_limit: Count | None
    breaker_reason: str
    breaker_remaining_ns: Duration
    clock_offset_ns: int | None
    clock_error_ns: Duration | None
    rules_read_ns: Ns


class BookHealth(Answer):
    """How far one venue's book may be believed; `reason` is null when it is live. `symbol` is the venue's own."""

    symbol: str
    health: Health
    reason: str | None
    since_ns: Ns
    received_ns: Ns
    venue_time_ns: Ns
    changed_ns: Ns
    rules_version: int
    rules_since_ns: Ns
    updates: Count
    gaps: Count
    resyncs: Count
    crossed: Count
    rejected_frames: Count


class Venue(Answer):
    """A venue: how it is configured, how its connections fare, and its books by instrument."""

    venue: str
    name: str
    connector: str
    state: Annotated[str, Meta(description="active, draining, off, or defunct")]
    display: bool
    route: bool
    switched_by: str
    switched_ns: Ns
    reason: str
    file_refused: str | None
    rest: str
    rejected_frames: Count
    connection: Connection
    books: dict[str, BookHealth]


class Venues(Answer):
    """All venues that are followed; `refused` are the faults of changed files that are not in use."""

    venues: list[Venue]
    refused: list[str]


Level = Annotated[
    tuple[Decimal, Decimal, dict[str, Decimal]],
    Meta(description="price, quantity over all venues, and each venue's share of it"),
]
Excluded = Annotated[dict[str, str], Meta(description="the venues that are out, each with its reason")]


class Book(Answer):
    """The consolidated book, best level first. `oldest_ns` is when the least recently heard venue in it was heard."""

    symbol: str
    view: View
    as_of_ns: Ns
    oldest_ns: Ns
    crossed: bool
    bids: list[Level]
    asks: list[Level]
    venues: list[str]
    excluded: Excluded


class PlannedChild(Answer):
    """One child of a plan: this quantity at this price or better. What it is expected to cost is in `quote`; where that
    is another than the order's, `rate` turns it into the order's, and `rate_source` says so."""

    venue: str
    symbol: str
    quote: str
    rate: Decimal | None
    rate_source: str | None
    limit_price: Decimal
    quantity: Decimal
    expected_notional: Decimal
    expected_fee: Decimal
    fixed_cost: Decimal
    net_price: Decimal


class Plan(Answer):
    """How a request is split, and why. Either `quantity` or `notional` is there, as it was asked; what is unfilled is
    told in the same. `saving_bps` is against the best single venue, null when none alone fills as much."""

    symbol: str
    side: Side
    limit_price: Decimal | None
    bound_price: Decimal | None
    children: list[PlannedChild]
    filled_by_plan: Decimal
    average_price: Decimal | None
    net_price: Decimal | None
    net_total: Decimal
    unfilled: Decimal
    unfilled_reasons: dict[Shortfall, Decimal]
    best_single_venue: str | None
    best_single_filled: Decimal | None
    best_single_net_price: Decimal | None
    saving_bps: Decimal | None
    optimality_gap_bps: Decimal
    proven: bool
    excluded: Excluded
    unused: dict[str, str]
    balances: str
    dust: Dust
    book_digest: str
    quantity: Decimal | UnsetType = UNSET
    notional: Decimal | UnsetType = UNSET


class Quote(Plan, kw_only=True):
    """A plan over the live books of the moment `as_of_ns`; nothing was sent."""

    as_of_ns: Ns


class Fill(Answer):
    """A fill of ours. `id` is ours and unique, `fill_id` the venue's."""

    id: str
    order_id: str
    child_id: str
    venue: str
    fill_id: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    notional: Decimal
    fee: Decimal
    fee_asset: str
    liquidity: Liquidity
    venue_time_ns: Ns
    received_ns: Ns


class ChildOrder(Answer):
    """What was sent to one venue, in the venue's symbol, and what became of it. `executed` is the venue's word. Prices
    and fills are in `quote`; where that is another than the order's, `rate` turns it into the order's."""

    child_id: str
    venue: str
    symbol: str
    quote: str
    rate: Decimal | None
    rate_source: str | None
    state: ChildState
    venue_word: str
    venue_order_id: str
    quantity: Decimal
    limit_price: Decimal
    time_in_force: TimeInForce
    post_only: bool
    filled: Decimal
    executed: Decimal
    reason: str
    sent_ns: Ns
    since_ns: Ns
    fills: list[Fill]


class ParentOrder(Answer):
    """An order and what became of it; `plan` is the first of its plans. `received` is what the account has more of."""

    order_id: str
    client_order_id: str
    account: str
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    limit_price: Decimal | None
    time_in_force: TimeInForce
    post_only: bool
    venues: list[str] | None
    strategy: str
    state: ParentState
    code: str
    reason: str
    filled: Decimal
    average_price: Decimal | None
    fees: dict[str, Decimal]
    received: Decimal
    received_asset: str
    arrival_mid: Decimal | None
    bound_price: Decimal | None
    received_ns: Ns
    updated_ns: Ns
    plan: Plan | None
    plans: list[Plan]
    children: list[ChildOrder]


class Orders(Answer):
    """A page of orders, newest first; `next` is what the following page is to be asked for `after`."""

    orders: list[ParentOrder]
    next: str | None


class CanceledOrders(Answer):
    """Every order that was open, as it is now, and how many of them still are."""

    orders: list[ParentOrder]
    still_open: Count


class Fills(Answer):
    """A page of fills, newest first."""

    fills: list[Fill]
    next: str | None


class Balance(Answer):
    """`total` is what the venue said last, with what open orders hold; `free` is without. `expected` is its first word
    and our own fills since, and `difference` what `total` is more."""

    total: Decimal
    free: Decimal
    expected: Decimal
    difference: Decimal


class Balances(Answer):
    """The house's balances by venue and asset; `reconciling` names the venues that are not known yet, with the reason.
    While orders are under way a venue's word and our fills may differ for a moment."""

    balances: dict[str, dict[str, Balance]]
    reconciling: dict[str, str]
    as_of_ns: Ns


class Halt(Answer):
    """Whether nothing new may leave, and why; `reconciling` names the venues that are not known yet."""

    halted: bool
    reason: str
    reconciling: dict[str, str]


class Holding(Answer):
    """`free` is what is not held for open orders."""

    total: Decimal
    held: Decimal
    free: Decimal


class LedgerAccount(Answer):
    """What an account owns, by asset; nothing while it is not open."""

    account: str
    is_open: bool
    balances: dict[str, Holding]


class LocalTrade(Answer):
    """A trade in one of Busan's own books; `taker` is the side that came to trade."""

    trade_id: str
    symbol: str
    sequence: Count
    price: Decimal
    quantity: Decimal
    taker: Side
    is_auction: bool
    at_ns: Ns


class LocalTrades(Answer):
    """Newest first; the last thousand are kept here, all are in the journal."""

    trades: list[LocalTrade]


class LocalBookState(Answer):
    """What a local book is now."""

    symbol: str
    state: BookState


class ShownRate(Answer):
    """What a source says of `base` in `quote`; `reason` says why it is not used, null when it is."""

    source: str
    base: str
    quote: str
    bid: Decimal
    ask: Decimal
    at_ns: Ns
    reason: str | None


class ConvertedBook(Answer):
    """Partners' depth of the same base, turned into the listing's quote and rounded against who takes it. It is shown,
    never routed on. `premium_bps` is how much the local middle is above the partners', null without both; `reason`
    says why a side is empty."""

    symbol: str
    source: str
    rates: list[ShownRate]
    bids: list[Level]
    asks: list[Level]
    venues: list[str]
    premium_bps: Decimal | None
    reason: str | None
    as_of_ns: Ns


class Session(Answer):
    """Whose page it is; `token` is for the header X-CSRF-Token."""

    signed_in: bool
    key: str | UnsetType = UNSET
    account: str | UnsetType = UNSET
    scopes: list[Scope] | UnsetType = UNSET
    token: str | UnsetType = UNSET
    ends_ns: Ns | UnsetType = UNSET


class Alive(Answer):
    """The loop turns; `inbox` is what waits for the engine."""

    status: str
    inbox: Count


class Readiness(Answer):
    """Ready as soon as any book is live; those that are not are named with their reason. `no_orders` says why no order
    is taken now, and is empty when orders are."""

    ready: bool
    live_books: Count
    not_live: dict[str, str]
    no_orders: str


class ProblemDocument(Answer):
    """What went wrong (RFC 9457): programs go by `code`, people by `detail`, which names the remedy."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    order_id: str | UnsetType = UNSET
