"""A venue described in its file: the grammar from which `connectors/declarative` speaks its protocol.

It is small and closed: where something lies in a message, what is sent, how updates are numbered. What does not fit
into it wants a connector in Python. Which keys go together is held by `declared_relations`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema
from pydantic.types import JsonValue

from aggregator.config.scalars import Count, Duration, Switch, Text, from_text, matching, read_duration, whole_number
from aggregator.config.schema import Section
from aggregator.config.templates import (
    EachTemplate,
    FieldPath,
    KeepaliveTemplate,
    MessageTemplate,
    PathTemplate,
    RestPath,
    Spelling,
    Words,
)

_CLOSED: dict[str, JsonValue] = {"additionalProperties": False}


def read_span(text: str) -> int:
    """ns; a time that cannot be switched off."""
    span_ns = None if text == "off" else read_duration(text)
    if span_ns is None:
        raise ValueError("'off' is not a duration here; write 500ms, 10s, 2m or 24h")
    return span_ns


Span = Annotated[
    int,
    from_text(read_span, "a duration such as 10s"),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,6}(ms|s|m|h)$", "examples": ["10s"]}),
]
Reads = Annotated[
    str,
    matching(r"\S(.{0,198}\S)?", "a text on one line, of at most 200 characters"),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}], "examples": ["update"]}),
]
"""What a value reads as: a text, a number, true or false."""
Columns = Annotated[
    int,
    whole_number(2, 9),
    WithJsonSchema({"type": "integer", "minimum": 2, "maximum": 9, "examples": [3]}),
]


class Symbols(Section):
    """How the venue writes an instrument."""

    spelling: Spelling
    """Base and quote with what stands between them, such as <quote>-<base>."""
    case: Literal["upper", "lower"] = "upper"
    """Capitals or small letters."""


class Connection(Section):
    """How quiet a connection may be, and how old."""

    silence_ns: Duration = Field(default="60s", alias="silence", validate_default=True)
    """A connection on which nothing came for this long is dead; `off` where quiet is normal."""
    life_ns: Duration = Field(default="off", alias="life", validate_default=True)
    """A connection older than this is about to be cut by the venue, so another is opened first; `off` for no rule."""


class Keepalive(Section):
    """What keeps a connection open."""

    text: KeepaliveTemplate
    """The message, JSON or not. Blanks: <id>, <time_s>, <time_ms>."""
    every_ns: Span = Field(alias="every")
    """How often it is sent."""


class Message(Section):
    """Something to send about symbols. Without `each` it is sent once for every symbol."""

    message: MessageTemplate
    """JSON with blanks: <symbol>, <symbol:lower>, <symbol:upper>, <each>, <id>, <time_s>, <time_ms>."""
    each: EachTemplate | None = None
    """What stands for one symbol where the message has <each>; those of several have commas between."""
    at_most: Count | None = None
    """Symbols in one message. Left out: all of them."""


class Clock(Section):
    """Where a time stands, and how it is written."""

    at: FieldPath
    """Where it stands."""
    unit: Literal["s", "ms", "us", "ns", "iso"]
    """Since the Unix epoch in this unit, or `iso` for a text such as 2021-04-05T18:21:17.414Z."""


class Sides(Section):
    """Levels in two lists, one for each side. A level is a list, its price first, its quantity second."""

    bids: FieldPath
    """The list of bids."""
    asks: FieldPath
    """The list of asks."""
    columns: Columns = 2
    """Values in a level; those past the second are not read."""
    may_be_absent: Switch = False
    """Whether the venue leaves out a side on which nothing changed."""


class Pairs(Section):
    """Levels in one list whose items hold a bid and an ask each; where one side is shorter, its price is 0."""

    at: FieldPath
    """The list of levels."""
    bid_price: FieldPath
    """Within an item."""
    bid_quantity: FieldPath
    """Within an item."""
    ask_price: FieldPath
    """Within an item."""
    ask_quantity: FieldPath
    """Within an item."""


class Rows(Section):
    """Levels in one list whose items say which side they are on."""

    at: FieldPath
    """The list of levels."""
    side: FieldPath
    """Within an item: its side."""
    buy: Reads = Field(examples=["bid"])
    """What stands there for a bid."""
    sell: Reads = Field(examples=["ask"])
    """What stands there for an ask."""
    price: FieldPath
    """Within an item."""
    quantity: FieldPath
    """Within an item; 0 removes the level."""
    symbol: FieldPath | None = None
    """Within an item: its symbol. All items of a message must have the same."""


class BookMessage(Section):
    """A message about a book. Its levels are in one of three forms: `sides`, `pairs` or `rows`."""

    holds: Literal["whole", "changes"]
    """The whole book, or changes to it."""
    first: FieldPath | None = None
    """The first id of the range that changes cover."""
    previous: FieldPath | None = None
    """The id of the update that changes follow."""
    last: FieldPath | None = None
    """The id that the book is at afterwards. Of whole pictures: what orders them; left out, their time does."""
    time: Clock | None = None
    """The venue's own time."""
    sides: Sides | None = None
    """Levels in two lists."""
    pairs: Pairs | None = None
    """Levels in one list, a bid and an ask in each item."""
    rows: Rows | None = None
    """Levels in one list, each with its side."""
    covers: Count | None = None
    """Levels a side that the stream covers, when it covers only the best: what sinks below is told no more."""


class Taker(Section):
    """How a trade says who took."""

    at: FieldPath
    """Where it stands."""
    buy: Reads = Field(examples=["BID"])
    """What stands there when the buyer did."""
    sell: Reads = Field(examples=["ASK"])
    """What stands there when the seller did."""


class TradeMessage(Section):
    """Public trades. With `rows` all other paths are within one of its items."""

    rows: FieldPath | None = None
    """The list of trades. Left out: the message is one trade."""
    id: FieldPath
    """The venue's own id."""
    price: FieldPath
    """The price."""
    quantity: FieldPath
    """The quantity in base."""
    time: Clock
    """When it happened."""
    taker: Taker
    """Which side crossed the spread."""
    history: Switch = False
    """Whether the first message after subscribing is history, which is not told again."""


class BestMessage(Section):
    """The venue's own statement of its best bid and offer."""

    bid_price: FieldPath
    """The price of the best bid."""
    bid_quantity: FieldPath
    """Its quantity."""
    ask_price: FieldPath
    """The price of the best ask."""
    ask_quantity: FieldPath
    """Its quantity."""
    last: FieldPath | None = None
    """The id of the book that it belongs to."""
    time: Clock | None = None
    """The venue's own time."""


class Incoming(Section):
    """A kind of message, told from others by `when` and `has`. The first kind in the list that fits is taken.

    It is about a symbol (`book`, `trades`, `best`), or it is one of `acknowledged`, `refused`, `reply`, `ignored`.
    """

    when: dict[FieldPath, Reads] = Field(default_factory=dict, json_schema_extra=_CLOSED)
    """What must stand where: texts, numbers, true, false or null, as written."""
    has: tuple[FieldPath, ...] = ()
    """Where something must stand, whatever it is; null is nothing."""
    symbol: FieldPath | None = None
    """Where the symbol stands. Required for books, trades and best quotes, unless each row of a book says it."""
    book: BookMessage | None = None
    """It is about a book."""
    trades: TradeMessage | None = None
    """It holds public trades."""
    best: BestMessage | None = None
    """It holds the best bid and offer."""
    acknowledged: Words | None = None
    """The venue did what it was asked; this is what to call it, with paths as blanks."""
    refused: Words | None = None
    """The venue said no; this is its reason, with paths as blanks."""
    reply: Words | None = None
    """It wants this answer at once, with paths as blanks: their values are written as they came."""
    ignored: Switch = False
    """It is of no use."""


class RestBook(Section):
    """A book fetched below endpoints.rest, joined to the stream by its id."""

    path: PathTemplate
    """The path with its query, in which <symbol> stands."""
    weight: Count = 1
    """What it costs of limits.weight_per_minute."""
    last: FieldPath
    """The id that the book is at."""
    sides: Sides
    """Levels in two lists."""
    after_ns: Span = Field(default="1s", alias="after", validate_default=True)
    """How long after subscribing it is fetched: by then an active market has sent an update to join it to."""


class Snapshot(Section):
    """Where a book begins: in the stream, at the venue's REST interface, or nowhere. One of the three keys."""

    stream: Switch = False
    """`true` when a message that holds the whole book comes by itself after subscribing."""
    rest: RestBook | None = None
    """It is fetched."""
    nowhere: Text | None = Field(default=None, examples=["The socket sends changes only."])
    """Why there is none: such a book is never live, and this is the reason that it shows."""


class MarketRules(Section):
    """The venue's own list of its markets. Paths are within one market; a rule that it does not state is left out."""

    path: RestPath
    """Where the list is, below endpoints.rest."""
    weight: Count = 1
    """What it costs of limits.weight_per_minute."""
    rows: FieldPath | None = None
    """Where in the reply the markets are. Left out: the reply itself is the list."""
    symbol: FieldPath
    """The symbol."""
    base: FieldPath | None = None
    """The base asset. Left out with `quote`: both are taken from the symbol by its spelling."""
    quote: FieldPath | None = None
    """The quote asset."""
    tick: FieldPath | None = None
    """The step between two prices."""
    tick_decimals: FieldPath | None = None
    """How many decimals prices have, instead of `tick`."""
    lot: FieldPath | None = None
    """The step between two quantities."""
    lot_decimals: FieldPath | None = None
    """How many decimals quantities have, instead of `lot`."""
    minimum_quantity: FieldPath | None = None
    """The least quantity of an order."""
    minimum_notional: FieldPath | None = None
    """The least price times quantity of an order."""
    tradable: dict[FieldPath, Reads] = Field(default_factory=dict, json_schema_extra=_CLOSED)
    """What must stand where in a market that is open for trading."""


class Declared(Section):
    """The venue's protocol, for `connector: declarative`."""

    symbols: Symbols
    """How symbols are spelt."""
    compression: Literal["none", "gzip", "deflate"] = "none"
    """How binary frames are packed. Text frames never are."""
    connection: Connection = Field(default_factory=Connection)
    """What the venue expects of a connection."""
    keepalive: Keepalive | None = None
    """What keeps a connection open. Left out where the websocket protocol's own pings do."""
    subscribe: tuple[Message, ...] = Field(min_length=1)
    """What is sent to follow symbols, in this order."""
    unsubscribe: tuple[Message, ...] = ()
    """What is sent before subscribing to one symbol anew, to have its whole book once more."""
    replaces: Switch = False
    """Whether each subscription takes the place of the one before, so that it has to name every symbol again."""
    numbering: Literal["range", "previous", "pictures", "none"]
    """How updates are numbered: by ranges of ids, by the id of the one before, as whole pictures, or not at all."""
    snapshot: Snapshot
    """Where a book begins."""
    messages: tuple[Incoming, ...] = Field(min_length=1)
    """The kinds of messages that come."""
    markets: MarketRules | None = None
    """The venue's own list of its markets. Required for the `market_list` of this file."""
