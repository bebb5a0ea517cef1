"""Errors as RFC 9457 problem documents: what happened, and what would be right."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum

import msgspec
from aiohttp import web

JSON = msgspec.json.Encoder()

PROBLEM_MEDIA = "application/problem+json"

RETRY_AFTER_S = "1"
"""What is limited is limited by the second."""


class Code(StrEnum):
    """Stable codes: programs may switch on them."""

    UNKNOWN_ROUTE = "unknown_route"
    UNKNOWN_INSTRUMENT = "unknown_instrument"
    UNKNOWN_VENUE = "unknown_venue"
    BAD_PARAMETER = "bad_parameter"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    BODY_TOO_LARGE = "body_too_large"
    URI_TOO_LONG = "uri_too_long"
    HEADERS_TOO_LARGE = "headers_too_large"
    REQUEST_TOO_SLOW = "request_too_slow"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    BAD_REQUEST = "bad_request"
    INTERNAL_ERROR = "internal_error"

    NO_KEYS = "no_keys"
    KEY_REQUIRED = "key_required"
    SIGNATURE_REFUSED = "signature_refused"
    REQUEST_EXPIRED = "request_expired"
    REQUEST_REPEATED = "request_repeated"
    SCOPE_REQUIRED = "scope_required"
    CROSS_SITE = "cross_site"
    TOO_MANY_REQUESTS = "too_many_requests"
    ADDRESS_REFUSED = "address_refused"
    KEY_ORDER_NOTIONAL = "key_order_notional"

    HALTED = "halted"
    RECONCILING = "reconciling"
    JOURNAL_FAILED = "journal_failed"
    UNKNOWN_ORDER = "unknown_order"
    NOT_OPEN = "not_open"
    NOT_AMENDABLE = "not_amendable"
    DUPLICATE_CLIENT_ORDER_ID = "duplicate_client_order_id"
    BAD_TERMS = "bad_terms"
    CANNOT_REST = "cannot_rest"
    FOK_NOT_COVERED = "fok_not_covered"
    RISK_RATE = "risk_rate"
    RISK_ORDER_NOTIONAL = "risk_order_notional"
    RISK_OPEN_NOTIONAL = "risk_open_notional"
    RISK_COLLAR = "risk_collar"

    INSUFFICIENT_FUNDS = "insufficient_funds"
    OFF_TICK = "off_tick"
    OFF_LOT = "off_lot"
    OUTSIDE_BAND = "outside_band"
    BELOW_MINIMUM = "below_minimum"
    ABOVE_MAXIMUM = "above_maximum"
    BELOW_NOTIONAL = "below_notional"
    UNKNOWN_ACCOUNT = "unknown_account"
    ACCOUNT_TAKEN = "account_taken"
    RESERVED_ACCOUNT = "reserved_account"
    CUSTODY_EXCEEDED = "custody_exceeded"
    NOT_SWITCHABLE = "not_switchable"
    VENUE_REFUSED = "venue_refused"


class Problem(Exception):
    """Raised on the way to an answer, and answered as `application/problem+json`. `detail` names the remedy; `about`
    are further members of the document, such as the order that it is about; `headers` are sent with it."""

    def __init__(
        self,
        status: int,
        code: Code,
        title: str,
        detail: str,
        about: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.about = about or {}
        self.headers = headers or {}

    def body(self) -> bytes:
        return JSON.encode(
            {
                "type": f"urn:aggregator:{self.code}",
                "title": self.title,
                "status": self.status,
                "code": self.code.value,
                "detail": self.detail,
                **self.about,
            }
        )

    def response(self) -> web.Response:
        # RFC 9110, 15.5.2: what is unauthorized is told how to be authorized.
        headers = {"WWW-Authenticate": 'HMAC-SHA256 realm="aggregator"'} if self.status == 401 else {}
        if self.status == 429:
            headers["Retry-After"] = RETRY_AFTER_S
        return web.Response(
            status=self.status,
            headers={**headers, **self.headers},
            body=self.body(),
            content_type=PROBLEM_MEDIA,
        )


REFUSALS: Mapping[Code, tuple[int, str]] = {
    Code.HALTED: (503, "halted"),
    Code.RECONCILING: (503, "not ready yet"),
    Code.JOURNAL_FAILED: (503, "nothing can be recorded"),
    Code.UNKNOWN_ORDER: (404, "unknown order"),
    Code.NOT_OPEN: (409, "the order has ended"),
    Code.NOT_AMENDABLE: (409, "the order cannot be amended"),
    Code.DUPLICATE_CLIENT_ORDER_ID: (409, "client order id taken"),
    Code.BAD_TERMS: (422, "terms that contradict each other"),
    Code.CANNOT_REST: (422, "no venue lets it rest"),
    Code.FOK_NOT_COVERED: (422, "not enough to fill it whole"),
    Code.RISK_RATE: (429, "too many orders"),
    Code.RISK_ORDER_NOTIONAL: (422, "over a limit"),
    Code.RISK_OPEN_NOTIONAL: (422, "over a limit"),
    Code.RISK_COLLAR: (422, "too far from the market"),
    Code.INSUFFICIENT_FUNDS: (422, "not enough there"),
    Code.OFF_TICK: (422, "between two ticks"),
    Code.OFF_LOT: (422, "no whole number of lots"),
    Code.OUTSIDE_BAND: (422, "outside the price band"),
    Code.BELOW_MINIMUM: (422, "too little"),
    Code.ABOVE_MAXIMUM: (422, "too much"),
    Code.BELOW_NOTIONAL: (422, "worth too little"),
    Code.UNKNOWN_ACCOUNT: (404, "unknown account"),
    Code.ACCOUNT_TAKEN: (409, "the account is open"),
    Code.RESERVED_ACCOUNT: (422, "not a participant's account"),
    Code.CUSTODY_EXCEEDED: (422, "more than custody holds"),
}
"""How a refusal of the engine is answered: status and title."""


def refused(code: str, detail: str, about: Mapping[str, str] | None = None) -> Problem:
    """A refusal of the engine by its code, as the problem that answers it."""
    known = Code(code)
    status, title = REFUSALS[known]
    return Problem(status, known, title, detail, about)


_OF_STATUS = {
    404: (
        Code.UNKNOWN_ROUTE,
        "no such route",
        "see README, /docs or /openapi.json for the routes; all but those of the page and of operators are under /v1",
    ),
    405: (Code.METHOD_NOT_ALLOWED, "method not allowed", "this route takes other methods; the Allow header names them"),
    413: (Code.BODY_TOO_LARGE, "body too large", "send less"),
}


@web.middleware
async def as_problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Every error leaves as a problem document, aiohttp's own included."""
    try:
        return await handler(request)
    except Problem as problem:
        return problem.response()
    except web.HTTPError as error:
        return problem_of(error).response()


def problem_of(error: web.HTTPError) -> Problem:
    """An error of aiohttp's."""
    default = (Code.BAD_REQUEST, error.reason, "the request could not be understood")
    code, title, detail = _OF_STATUS.get(error.status, default)
    allow = error.headers.get("Allow")
    return Problem(error.status, code, title, detail, headers={"Allow": allow} if allow else None)
