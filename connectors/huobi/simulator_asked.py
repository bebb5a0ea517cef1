"""A request to the simulated HTX's private routes, taken apart, and its answer put together."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec

from aggregator.domain.errors import NumberRefused
from connectors.huobi.simulator_order_rows import MS, Declined
from connectors.simulation.contract import HttpReply, HttpRequest


class Asked(NamedTuple):
    """`number` stands in the path: an order's or an account's."""

    number: int
    query: dict[str, str]
    body: dict[str, Any]
    now_ns: int

    def whole(self, name: str, default: int) -> int:
        """A parameter of the query or the body. Raises Declined."""
        return whole(name, self.query.get(name, self.body.get(name, default)))


def whole(name: str, told: object) -> int:
    """Raises Declined."""
    if not re.fullmatch(r"[0-9]{1,18}", str(told), re.ASCII):
        raise Declined("validation-format-error", f"Format Error: {name}.")
    return int(str(told))


def number(read: Callable[[str], int], text: str, imprecise: Declined) -> int:
    """Raises Declined for what is finer than any scale, or no number."""
    try:
        return read(text)
    except NumberRefused:
        raise imprecise from None


def is_within(at_ns: int, query: dict[str, str]) -> bool:
    start_ms = whole("start-time", query.get("start-time", 0))
    end_ms = whole("end-time", query.get("end-time", 10**15))
    return start_ms <= at_ns // MS <= end_ms


def body_of(request: HttpRequest) -> dict[str, Any]:
    if not request.body:
        return {}
    try:
        body = msgspec.json.decode(request.body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Declined("bad-request", "the body is no JSON object")
    return body


def reply(answer: dict[str, object], headers: Mapping[str, str] = {}) -> HttpReply:
    return HttpReply(HTTPStatus.OK, msgspec.json.encode(answer), headers)


def refusal(error: Declined, headers: Mapping[str, str] = {}) -> HttpReply:
    return reply({"status": "error", **error.row(), "data": None}, headers)
