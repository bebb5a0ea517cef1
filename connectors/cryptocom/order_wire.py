"""Crypto.com's private messages as types: answers to requests, and the rows of orders, fills and balances.

Source: the venue's Exchange v1 documentation, state of May 2026. Ids, codes and times come as numbers or as strings;
prices, quantities and fees too, and are read from their text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar

import msgspec
from msgspec import Raw, field

from aggregator.domain.errors import NumberRefused
from aggregator.domain.numbers import parse_decimal
from connectors.cryptocom.signing import signature
from connectors.cryptocom.wire import ABSENT, number
from connectors.decoding import decode
from connectors.trading import Credentials

T = TypeVar("T")

Id = int | str
MS = 1_000_000


class Answer(msgspec.Struct):
    """To a REST request. A gateway in front of the venue may answer without a code."""

    code: Id | None = None
    message: str | None = None
    result: Raw = ABSENT


class OrderIds(msgspec.Struct):
    order_id: Id = ""
    client_id: Id | None = field(name="client_oid", default=None)


class OrderRow(msgspec.Struct):
    """An order as it stands. `reason` is a code, 0 for none."""

    order_id: Id
    symbol: str = field(name="instrument_name")
    status: str
    executed: Raw = field(name="cumulative_quantity")
    client_id: Id | None = field(name="client_oid", default=None)
    reason: Id | None = 0
    time_ms: Id | None = field(name="update_time", default=0)

    @property
    def time_ns(self) -> int:
        return _time_ns(self.time_ms, MS)


class FillRow(msgspec.Struct):
    """A fill of the account's. A fee is negative when we pay it."""

    fill_id: Id = field(name="trade_id")
    order_id: Id
    symbol: str = field(name="instrument_name")
    side: Literal["BUY", "SELL"]
    price: Raw = field(name="traded_price")
    quantity: Raw = field(name="traded_quantity")
    fee: Raw = field(name="fees")
    fee_asset: str = field(name="fee_instrument_name")
    client_id: Id | None = field(name="client_oid", default=None)
    role: Literal["MAKER", "TAKER", ""] = field(name="taker_side", default="")
    time_ms: Id | None = field(name="create_time", default=0)
    exact_time_ns: Id | None = field(name="create_time_ns", default=None)

    @property
    def time_ns(self) -> int:
        return _time_ns(self.exact_time_ns, 1) or _time_ns(self.time_ms, MS)


class BalanceRow(msgspec.Struct):
    asset: str = field(name="instrument_name")
    total: Raw = field(name="quantity")
    held: Raw = field(name="reserved_qty", default=ABSENT)


class Wallet(msgspec.Struct):
    balances: list[BalanceRow] = field(name="position_balances")


class FeeRates(msgspec.Struct):
    """In basis points."""

    maker: Raw = field(name="effective_maker_rate_bps")
    taker: Raw = field(name="effective_taker_rate_bps")


class _OrderIdsListed(msgspec.Struct):
    data: list[OrderIds]


class _FillsListed(msgspec.Struct):
    data: list[FillRow]


class _WalletsListed(msgspec.Struct):
    data: list[Wallet]


_answer = msgspec.json.Decoder(Answer)
_order_ids = msgspec.json.Decoder(OrderIds)
_order = msgspec.json.Decoder(OrderRow)
_fee_rates = msgspec.json.Decoder(FeeRates)
_order_ids_listed = msgspec.json.Decoder(_OrderIdsListed)
_fills_listed = msgspec.json.Decoder(_FillsListed)
_wallets_listed = msgspec.json.Decoder(_WalletsListed)
_orders = msgspec.json.Decoder(list[OrderRow])
_fills = msgspec.json.Decoder(list[FillRow])
_wallets = msgspec.json.Decoder(list[Wallet])


def read_answer(body: bytes) -> Answer:
    return decode(_answer, body)


def read_order_ids(result: Raw) -> OrderIds:
    """Of an acceptance, or of a refusal, which may have no result."""
    return decode(_order_ids, bytes(result)) if bytes(result) not in (b"", b"null") else OrderIds()


def read_order(result: Raw) -> OrderRow:
    return decode(_order, bytes(result))


def read_open_orders(result: Raw) -> list[OrderIds]:
    return decode(_order_ids_listed, bytes(result)).data


def read_fills(result: Raw) -> list[FillRow]:
    """Newest first."""
    return decode(_fills_listed, bytes(result)).data


def read_wallets(result: Raw) -> list[Wallet]:
    return decode(_wallets_listed, bytes(result)).data


def read_fee_rates(result: Raw) -> FeeRates:
    return decode(_fee_rates, bytes(result))


def read_pushed_orders(rows: Raw) -> list[OrderRow]:
    return decode(_orders, bytes(rows))


def read_pushed_fills(rows: Raw) -> list[FillRow]:
    return decode(_fills, bytes(rows))


def read_pushed_wallets(rows: Raw) -> list[Wallet]:
    return decode(_wallets, bytes(rows))


def _time_ns(text: Id | None, unit_ns: int) -> int:
    """0 where there is none. Raises NumberRefused for what does not fit 64 bits."""
    time_ns = parse_decimal(str(text), 0) * unit_ns if text else 0
    if time_ns >= 1 << 63:
        raise NumberRefused(f"{text} is a time beyond the year 2262")
    return time_ns


def signed_number(raw: Raw, decimals: int) -> int:
    """A number that may be negative, on `decimals`. Raises NumberRefused."""
    text = number(raw)
    return -parse_decimal(text[1:], decimals) if text.startswith(b"-") else parse_decimal(text, decimals)


def signed_request(
    credentials: Credentials, method: str, params: Mapping[str, object], request_id: int, time_ms: int
) -> bytes:
    """For REST. All numbers among the parameters are texts."""
    request = {
        "id": request_id,
        "method": method,
        "api_key": credentials.key,
        "params": params,
        "sig": signature(credentials, method, request_id, params, time_ms),
        "nonce": time_ms,
    }
    return json.dumps(request, separators=(",", ":")).encode()


def login(credentials: Credentials, request_id: int, time_ms: int) -> str:
    """What opens the private stream. Its signature covers no parameters."""
    method = "public/auth"
    sig = signature(credentials, method, request_id, {}, time_ms)
    return json.dumps({"id": request_id, "method": method, "api_key": credentials.key, "sig": sig, "nonce": time_ms})


def subscribe(channels: Sequence[str], request_id: int, time_ms: int) -> str:
    return json.dumps({"id": request_id, "method": "subscribe", "params": {"channels": channels}, "nonce": time_ms})
