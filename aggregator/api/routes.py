"""The table of routes. The server's router and the OpenAPI document are both made of it, so they cannot differ.

A part of the API joins a route to what answers it (`opened`, `guarded`); what is served but is not in this table is a
page, and never under /v1.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, get_args

import msgspec
from aiohttp import web

from aggregator.api import schema
from aggregator.api.auth import Answering, Caller, Keys
from aggregator.api.problems import Code, Problem
from aggregator.config.keys import Scope

JSON_MEDIA, TEXT_MEDIA, HTML_MEDIA = "application/json", "text/plain", "text/html"

Open = Callable[[web.Request], Awaitable[web.StreamResponse]]

ALWAYS = (
    Code.BAD_REQUEST,
    Code.REQUEST_TOO_SLOW,
    Code.BODY_TOO_LARGE,
    Code.URI_TOO_LONG,
    Code.TOO_MANY_CONNECTIONS,
    Code.HEADERS_TOO_LARGE,
    Code.INTERNAL_ERROR,
    Code.BAD_PARAMETER,
)
"""What any request may be answered with."""

IF_SIGNED = (
    Code.KEY_REQUIRED,
    Code.SIGNATURE_REFUSED,
    Code.REQUEST_EXPIRED,
    Code.REQUEST_REPEATED,
    Code.SCOPE_REQUIRED,
    Code.NO_KEYS,
    Code.CROSS_SITE,
    Code.TOO_MANY_REQUESTS,
    Code.ADDRESS_REFUSED,
)
"""What any request that needs a key may be answered with."""

RECORDED = (Code.JOURNAL_FAILED,)
OF_LISTINGS = (
    Code.INSUFFICIENT_FUNDS,
    Code.OFF_TICK,
    Code.OFF_LOT,
    Code.OUTSIDE_BAND,
    Code.BELOW_MINIMUM,
    Code.ABOVE_MAXIMUM,
    Code.BELOW_NOTIONAL,
)
"""What Busan's rules and the ledger may say to an order."""

ALL_SCOPES: tuple[Scope, ...] = get_args(Scope)
WATCH: tuple[Scope, ...] = ("read", "oversight")
"""For market data. `listen.anonymous` may give it to everyone."""


class Answer(NamedTuple):
    """What a status is answered with. Without a `kind` the answer is no JSON, or has no body."""

    meaning: str
    kind: type[msgspec.Struct] | None = None
    media: str = JSON_MEDIA


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One method on one path. Whoever asks needs one of the `scopes`, or none when there are none. `places` are the
    types of what is in the path's braces, `query` declares the parameters after the `?`, and `codes` are what it may be
    refused with besides ALWAYS and IF_SIGNED."""

    name: str
    method: str
    path: str
    group: str
    summary: str
    answers: Mapping[int, Answer]
    scopes: tuple[Scope, ...] = ()
    places: Mapping[str, Any] = field(default_factory=dict)
    query: type[msgspec.Struct] | None = None
    body: type[msgspec.Struct] | None = None
    codes: tuple[Code, ...] = ()
    is_signed: bool = False
    """Whether it takes a signature although every key may ask."""

    def __post_init__(self) -> None:
        if set(re.findall(r"{(\w+)}", self.path)) != self.places.keys():
            raise ValueError(f"{self.method} {self.path}: `places` declares what is in its braces")

    @property
    def needs_key(self) -> bool:
        return bool(self.scopes) or self.is_signed

    @property
    def all_codes(self) -> tuple[Code, ...]:
        return (*ALWAYS, *(IF_SIGNED if self.needs_key else ()), *self.codes)


@dataclass(frozen=True, slots=True)
class Endpoint(web.AbstractRouteDef):
    """A route with what answers it."""

    route: Route
    answer: Open

    def register(self, router: web.UrlDispatcher) -> list[web.AbstractRoute]:
        return web.RouteDef(self.route.method, self.route.path, self.answer, {}).register(router)


def opened(route: Route, answer: Open) -> Endpoint:
    """The route for everyone."""
    names = _query_names(route)

    async def answer_the_well_asked(request: web.Request) -> web.StreamResponse:
        _refuse_misread(request, names)
        return await answer(request)

    return Endpoint(route, answer_the_well_asked)


def guarded(keys: Keys, route: Route, answer: Answering) -> Endpoint:
    """The route for callers with one of its scopes. Who is no such caller learns nothing else."""
    names = _query_names(route)

    async def answer_the_well_asked(request: web.Request, caller: Caller) -> web.StreamResponse:
        _refuse_misread(request, names)
        return await answer(request, caller)

    return Endpoint(route, keys.guarded(answer_the_well_asked, *route.scopes))


def watched(keys: Keys, route: Route, answer: Open) -> Endpoint:
    """The route for who may see the market: callers with one of its scopes, or everyone where `keys` say so."""
    if not keys.are_needed(route.scopes):
        return opened(route, answer)

    async def answer_the_entitled(request: web.Request, _: Caller) -> web.StreamResponse:
        return await answer(request)

    return guarded(keys, route, answer_the_entitled)


def _query_names(route: Route) -> tuple[str, ...]:
    return route.query.__struct_fields__ if route.query else ()


def _refuse_misread(request: web.Request, names: tuple[str, ...]) -> None:
    """Which of two values counts, and what an unknown name was to be, is not guessed. Raises Problem."""
    if not request.query_string:
        return
    given = list(request.query)
    unknown = [name for name in given if name not in names]
    if unknown:
        takes = f"this route takes {', '.join(names)}" if names else "this route takes none"
        detail = f"there is no parameter {unknown[0][:64]!r} here; {takes}"
        raise Problem(400, Code.BAD_PARAMETER, "bad parameter", detail)
    twice = [name for name in names if given.count(name) > 1]
    if twice:
        raise Problem(400, Code.BAD_PARAMETER, "bad parameter", f"{twice[0]} is given more than once; give it once")


def _ok(meaning: str, kind: type[msgspec.Struct]) -> Mapping[int, Answer]:
    return {200: Answer(meaning, kind)}


_MARKET, _ORDERS, _HOUSE, _SERVICE, _PAGE = "Market", "Orders", "House", "Service", "Page"
_LOCAL = "Busan's own books"
_ORDER = {"id": schema.OrderName}

INSTRUMENTS = Route(
    "instruments", "GET", "/v1/instruments", _MARKET, "What is listed where, with its rules and fees",
    _ok("All instruments.", schema.Instruments), scopes=WATCH,
)  # fmt: skip
VENUES = Route(
    "venues", "GET", "/v1/venues", _MARKET, "Every venue, with the health of its books and connections",
    _ok("All venues.", schema.Venues), scopes=WATCH,
)  # fmt: skip
VENUE = Route(
    "venue", "GET", "/v1/venues/{venue}", _MARKET, "One venue, with the health of its books and connections",
    _ok("The venue.", schema.Venue), scopes=WATCH, places={"venue": str}, codes=(Code.UNKNOWN_VENUE,),
)  # fmt: skip
VENUE_SWITCH = Route(
    "venue_switch", "PATCH", "/v1/venues/{venue}", _HOUSE, "Show a venue or not, route to it or not, drain it, end it",
    _ok("The venue as it is now.", schema.Venue), scopes=("admin",), places={"venue": str},
    body=schema.VenueSwitchBody, codes=(*RECORDED, Code.UNKNOWN_VENUE, Code.NOT_SWITCHABLE),
)  # fmt: skip
VENUE_ADD = Route(
    "venue_add", "POST", "/v1/venues", _HOUSE, "Take on a venue by the text of its file",
    {201: Answer("The venue, as it begins.", schema.Venue)}, scopes=("admin",), body=schema.VenueBody,
    codes=(*RECORDED, Code.VENUE_REFUSED),
)  # fmt: skip
BOOK = Route(
    "book", "GET", "/v1/books/{symbol}", _MARKET, "The consolidated book; each level with its venues",
    _ok("The book of this moment.", schema.Book), scopes=WATCH, places={"symbol": schema.Symbol},
    query=schema.BookQuery, codes=(Code.UNKNOWN_INSTRUMENT,),
)  # fmt: skip
QUOTE = Route(
    "quote", "POST", "/v1/quotes", _MARKET, "How a request would be routed now; nothing is sent",
    _ok("The plan.", schema.Quote), scopes=WATCH, body=schema.QuoteBody,
    codes=(Code.UNKNOWN_INSTRUMENT, Code.UNKNOWN_VENUE),
)  # fmt: skip
STREAM = Route(
    "stream", "GET", "/v1/stream", _MARKET, "Books, venues, trades, orders and fills as they change, over a WebSocket",
    {101: Answer("The WebSocket is open.", media="")}, codes=IF_SIGNED,
)  # fmt: skip

PLACE_ORDER = Route(
    "place_order", "POST", "/v1/orders", _ORDERS, "Place an order; the same client order id never makes a second one",
    {
        201: Answer("It was taken on.", schema.ParentOrder),
        200: Answer("It had been placed before, with the same terms.", schema.ParentOrder),
    },
    scopes=("trade",), body=schema.PlaceBody,
    codes=(
        *RECORDED, Code.UNKNOWN_INSTRUMENT, Code.UNKNOWN_VENUE, Code.HALTED, Code.RECONCILING,
        Code.DUPLICATE_CLIENT_ORDER_ID, Code.BAD_TERMS, Code.CANNOT_REST, Code.FOK_NOT_COVERED, Code.RISK_RATE,
        Code.RISK_ORDER_NOTIONAL, Code.RISK_OPEN_NOTIONAL, Code.RISK_COLLAR, Code.KEY_ORDER_NOTIONAL, *OF_LISTINGS,
    ),
)  # fmt: skip
ORDERS = Route(
    "orders", "GET", "/v1/orders", _ORDERS, "The account's orders, newest first, with children, fills and plans",
    _ok("A page of them.", schema.Orders), scopes=ALL_SCOPES, query=schema.OrdersQuery,
)  # fmt: skip
CANCEL_ALL = Route(
    "cancel_all", "DELETE", "/v1/orders", _ORDERS, "Cancel all of the account's open orders, and wait for their venues",
    _ok("Each that was open.", schema.CanceledOrders), scopes=("trade", "admin"), query=schema.CancelAllQuery,
    codes=(*RECORDED, Code.UNKNOWN_INSTRUMENT),
)  # fmt: skip
ORDER = Route(
    "order", "GET", "/v1/orders/{id}", _ORDERS, "One order, with its children, fills and plans",
    _ok("The order.", schema.ParentOrder), scopes=ALL_SCOPES, places=_ORDER, query=schema.OrderQuery,
    codes=(Code.UNKNOWN_ORDER,),
)  # fmt: skip
AMEND_ORDER = Route(
    "amend_order", "PATCH", "/v1/orders/{id}", _ORDERS, "Give an order that rests another quantity or limit price",
    _ok("The order, amended.", schema.ParentOrder), scopes=("trade",), places=_ORDER, body=schema.AmendBody,
    codes=(
        *RECORDED, Code.UNKNOWN_ORDER, Code.NOT_OPEN, Code.NOT_AMENDABLE, Code.BAD_TERMS, Code.HALTED, Code.RECONCILING,
        Code.CANNOT_REST, Code.RISK_RATE, Code.RISK_ORDER_NOTIONAL, Code.RISK_OPEN_NOTIONAL, Code.RISK_COLLAR,
        Code.KEY_ORDER_NOTIONAL, *OF_LISTINGS,
    ),
)  # fmt: skip
CANCEL_ORDER = Route(
    "cancel_order", "DELETE", "/v1/orders/{id}", _ORDERS, "Cancel an order",
    _ok("The order; it has ended when its state says so.", schema.ParentOrder), scopes=("trade",), places=_ORDER,
    codes=(*RECORDED, Code.UNKNOWN_ORDER, Code.NOT_OPEN),
)  # fmt: skip
FILLS = Route(
    "fills", "GET", "/v1/fills", _ORDERS, "The account's fills, newest first",
    _ok("A page of them.", schema.Fills), scopes=ALL_SCOPES, query=schema.FillsQuery,
    codes=(Code.UNKNOWN_ORDER,),
)  # fmt: skip

BALANCES = Route(
    "balances", "GET", "/v1/balances", _HOUSE, "The house's balances, as the venues told them last",
    _ok("By venue and asset.", schema.Balances), scopes=("admin",),
)  # fmt: skip
HALT = Route(
    "halt", "GET", "/v1/halt", _HOUSE, "Whether nothing new may leave, and why",
    _ok("The switch.", schema.Halt), scopes=ALL_SCOPES,
)  # fmt: skip
HALT_ON = Route(
    "halt_on", "POST", "/v1/halt", _HOUSE, "Let nothing new leave; cancels still do",
    _ok("The switch, on.", schema.Halt), scopes=("admin",), body=schema.HaltBody, codes=RECORDED,
)  # fmt: skip
HALT_OFF = Route(
    "halt_off", "DELETE", "/v1/halt", _HOUSE, "Let orders leave again",
    _ok("The switch, off.", schema.Halt), scopes=("admin",), codes=RECORDED,
)  # fmt: skip

LEDGER = Route(
    "ledger", "GET", "/v1/ledger", _LOCAL, "What the account owns here, and what of it is held for open orders",
    _ok("By asset.", schema.LedgerAccount), scopes=ALL_SCOPES, query=schema.LedgerQuery,
)  # fmt: skip
LEDGER_ENTRY = Route(
    "ledger_entry", "POST", "/v1/ledger", _LOCAL, "Open an account, count custody, credit, debit or transfer",
    _ok("The account as it is now.", schema.LedgerAccount), scopes=("admin",), body=schema.LedgerBody,
    codes=(
        *RECORDED, Code.UNKNOWN_ACCOUNT, Code.ACCOUNT_TAKEN, Code.RESERVED_ACCOUNT, Code.INSUFFICIENT_FUNDS,
        Code.CUSTODY_EXCEEDED, Code.BAD_TERMS,
    ),
)  # fmt: skip
LOCAL_TRADES = Route(
    "local_trades", "GET", "/v1/trades", _LOCAL, "Trades in Busan's own books, newest first",
    _ok("The last ones.", schema.LocalTrades), scopes=WATCH, query=schema.TradesQuery, codes=(Code.UNKNOWN_INSTRUMENT,),
)  # fmt: skip
LOCAL_STATE = Route(
    "local_state", "POST", "/v1/books/{symbol}/state", _LOCAL, "Open, halt or close one of Busan's own books",
    _ok("The book's state.", schema.LocalBookState), scopes=("admin",), places={"symbol": schema.Symbol},
    body=schema.BookStateBody, codes=(*RECORDED, Code.UNKNOWN_INSTRUMENT),
)  # fmt: skip
CONVERTED = Route(
    "converted", "GET", "/v1/books/{symbol}/converted", _LOCAL, "Partners' depth turned into a listing's own quote",
    _ok("With the rates and the premium.", schema.ConvertedBook), scopes=WATCH, places={"symbol": schema.Symbol},
    codes=(Code.UNKNOWN_INSTRUMENT,),
)  # fmt: skip

SESSION = Route(
    "session", "GET", "/session", _PAGE, "Whose page this is, by its cookie",
    _ok("The session, or that there is none.", schema.Session),
)  # fmt: skip
SIGN_IN = Route(
    "sign_in", "POST", "/session", _PAGE, "Open a session for the page, by a signature",
    {201: Answer("The session; its cookie is set.", schema.Session)}, is_signed=True,
)  # fmt: skip
FOLLOW_LINK = Route(
    "follow_link", "POST", "/session/link", _PAGE, "Open a session for the page, by a one-time link",
    {201: Answer("The session; its cookie is set.", schema.Session)}, body=schema.LinkBody, codes=IF_SIGNED,
)  # fmt: skip
SIGN_OUT = Route(
    "sign_out", "DELETE", "/session", _PAGE, "End the page's session",
    _ok("There is none any more.", schema.Session), codes=(Code.CROSS_SITE,),
)  # fmt: skip

HEALTH = Route(
    "health", "GET", "/health", _SERVICE, "Whether the loop turns", _ok("It does.", schema.Alive),
)  # fmt: skip
READY = Route(
    "ready", "GET", "/ready", _SERVICE, "Whether any book is live",
    {200: Answer("One is.", schema.Readiness), 503: Answer("None is.", schema.Readiness)},
)  # fmt: skip
METRICS = Route(
    "metrics", "GET", "/metrics", _SERVICE, "All metrics, for Prometheus",
    {200: Answer("Prometheus text.", media=TEXT_MEDIA)},
)  # fmt: skip
OPENAPI = Route(
    "openapi", "GET", "/openapi.json", _SERVICE, "This document",
    {200: Answer("OpenAPI 3.1.", media=JSON_MEDIA)},
)  # fmt: skip
DOCS = Route(
    "docs", "GET", "/docs", _SERVICE, "This document as a page on which requests can be tried",
    {200: Answer("The page.", media=HTML_MEDIA)},
)  # fmt: skip

TABLE = tuple(value for value in dict(globals()).values() if isinstance(value, Route))
"""Every route that there is."""
