"""The codes with which the simulated Crypto.com refuses, and how they come: the HTTP statuses mean little."""

from __future__ import annotations

from http import HTTPStatus

from connectors.simulation.account import Refusal

UNAUTHORIZED, INVALID_NONCE, UNKNOWN_METHOD, INVALID_REQUEST, INVALID_ARGUMENT = 40101, 40102, 40002, 40003, 40004
BAD_REQUEST, INVALID_DATE, TOO_MANY_SUBSCRIPTIONS, NOT_FOUND, TOO_MANY_REQUESTS = 40001, 40005, 40107, 40401, 42901
INVALID_INSTRUMENT, INVALID_ORDER_ID, INVALID_QUANTITY, INVALID_TYPE, INVALID_INSTRUCTION = 209, 212, 213, 218, 219
INVALID_SIDE, INVALID_TIME_IN_FORCE, INVALID_PRICE, NO_ACTIVE_ORDER = 220, 221, 308, 316
KILLED, REST_CANCELED, POST_ONLY_REFUSED = 43003, 43004, 43005

TEXTS = {
    204: "DUPLICATE_CLORDID",
    208: "INSTRUMENT_NOT_TRADABLE",
    INVALID_INSTRUMENT: "INVALID_INSTRUMENT",
    INVALID_ORDER_ID: "INVALID_ORDERID",
    INVALID_QUANTITY: "INVALID_ORDERQTY",
    INVALID_TYPE: "INVALID_ORDTYPE",
    INVALID_INSTRUCTION: "INVALID_EXECINST",
    INVALID_SIDE: "INVALID_SIDE",
    INVALID_TIME_IN_FORCE: "INVALID_TIF",
    224: "REJ_BY_MATCHING_ENGINE",
    306: "INSUFFICIENT_AVAILABLE_BALANCE",
    INVALID_PRICE: "INVALID_PRICE",
    NO_ACTIVE_ORDER: "NO_ACTIVE_ORDER",
    415: "BELOW_MIN_ORDER_SIZE",
    UNKNOWN_METHOD: "METHOD_NOT_FOUND",
    INVALID_REQUEST: "INVALID_REQUEST",
    INVALID_ARGUMENT: "MISSING_OR_INVALID_ARGUMENT",
    INVALID_DATE: "INVALID_DATE",
    UNAUTHORIZED: "UNAUTHORIZED",
    INVALID_NONCE: "INVALID_NONCE",
    NOT_FOUND: "NOT_FOUND",
    TOO_MANY_REQUESTS: "TOO_MANY_REQUESTS",
    POST_ONLY_REFUSED: "POST_ONLY_REJ",
}

STATUSES = {
    **dict.fromkeys((212, 219, 306, 316, 415, POST_ONLY_REFUSED), HTTPStatus.INTERNAL_SERVER_ERROR),
    UNAUTHORIZED: HTTPStatus.UNAUTHORIZED,
    NOT_FOUND: HTTPStatus.OK,
    TOO_MANY_REQUESTS: HTTPStatus.TOO_MANY_REQUESTS,
}
"""400 for every other."""

CODES = {
    Refusal.UNKNOWN_SYMBOL: INVALID_INSTRUMENT,
    Refusal.NOT_TRADABLE: 208,
    Refusal.BAD_PRICE: INVALID_PRICE,
    Refusal.BAD_QUANTITY: INVALID_QUANTITY,
    Refusal.TOO_SMALL: 415,
    Refusal.INSUFFICIENT: 306,
    Refusal.DUPLICATE_ID: 204,
    Refusal.WOULD_TAKE: POST_ONLY_REFUSED,
    Refusal.UNKNOWN_ORDER: NO_ACTIVE_ORDER,
    Refusal.ALREADY_ENDED: NO_ACTIVE_ORDER,
    Refusal.BY_FAULT: 224,
}

SEEN_WITH_AN_ID = frozenset({306, 415})
"""Refusals that carry an order id all the same, of an order that was never there."""


class Refused(Exception):
    """`result` is what the refusal tells besides."""

    def __init__(self, code: int, text: str = "", result: dict[str, object] | None = None) -> None:
        super().__init__(text or TEXTS[code])
        self.code = code
        self.result = result


def success(result: dict[str, object] | None) -> dict[str, object]:
    return {"code": 0} | ({} if result is None else {"result": result})


def refusal(error: Refused) -> dict[str, object]:
    return {"code": error.code, "message": str(error)} | ({} if error.result is None else {"result": error.result})
