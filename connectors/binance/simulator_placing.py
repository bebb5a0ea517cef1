"""What an order to the simulated Binance says, read from its parameters.

1. LIMIT wants a time in force, a quantity and a price; LIMIT_MAKER the last two; MARKET a quantity, or how much of the
   quote asset is to be spent or received.
2. A FULL answer is the default, an ACK for LIMIT_MAKER.
3. A market order takes what it needs of the book that it meets, down to the price that this takes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from aggregator.domain.errors import NumberRefused
from aggregator.domain.instrument import Listing, Side
from connectors.binance.simulator_keys import ILLEGAL, Parameters
from connectors.binance.simulator_rest import DECIMALS, UNKNOWN_SYMBOL, Refusal
from connectors.simulation.account import Terms
from connectors.simulation.exchange import SimulatedExchange

FILTER, NOT_REQUIRED, TOO_PRECISE, BAD_LIFETIME, BAD_TYPE, BAD_SIDE = -1013, -1106, -1111, -1115, -1116, -1117
REJECTED = -2010

TERMS = {"GTC": Terms.GTC, "IOC": Terms.IOC, "FOK": Terms.FOK}
TYPES = ("LIMIT", "LIMIT_MAKER", "MARKET")
ANSWERS = ("ACK", "RESULT", "FULL")

_NUMBER = re.compile(r"\d{1,20}(\.\d{1,20})?", re.ASCII)
_WHOLE = re.compile(r"\d{1,18}", re.ASCII)
_CLIENT_ID = re.compile(r"[a-zA-Z0-9-_]{1,36}", re.ASCII)


class Wish(NamedTuple):
    """`client_id` is empty where none was given; `answer` is how much is to be told of the order."""

    listing: Listing
    side: Side
    price: int
    quantity: int
    terms: Terms
    client_id: str
    is_market: bool
    answer: str


def read_wish(parameters: Parameters, exchange: SimulatedExchange) -> Wish:
    """Raises Refusal."""
    listing = listed(parameters, exchange)
    side = Side(_one_of(parameters.must("side"), ("BUY", "SELL"), BAD_SIDE, "side").lower())
    kind = _one_of(parameters.must("type"), TYPES, BAD_TYPE, "orderType")
    client_id = client_id_in(parameters, "newClientOrderId")
    answer = parameters.take("newOrderRespType", "ACK" if kind == "LIMIT_MAKER" else "FULL")  # rule 2
    _one_of(answer, ANSWERS, ILLEGAL, "newOrderRespType")
    if kind == "MARKET":
        price, quantity = _market(listing, side, parameters, exchange)
        terms = Terms.IOC
    else:
        terms = Terms.POST_ONLY if kind == "LIMIT_MAKER" else _lifetime(parameters)
        quantity = _number(parameters.must("quantity"), "quantity", listing.instrument.quantity)
        price = _number(parameters.must("price"), "price", listing.instrument.price)
    if parameters.take("timeInForce"):
        raise Refusal(NOT_REQUIRED, "Parameter 'timeInForce' sent when not required.")
    parameters.finish()
    if quantity < listing.minimum_quantity:
        raise Refusal(FILTER, "Filter failure: LOT_SIZE")
    return Wish(listing, side, price, quantity, terms, client_id, kind == "MARKET", answer)


def listed(parameters: Parameters, exchange: SimulatedExchange) -> Listing:
    symbol = parameters.must("symbol")
    if symbol not in exchange:
        raise Refusal(UNKNOWN_SYMBOL, "Invalid symbol.")
    return exchange.listing(symbol)


def client_id_in(parameters: Parameters, name: str) -> str:
    text = parameters.take(name)
    if text and not _CLIENT_ID.fullmatch(text):
        legal = "^[a-zA-Z0-9-_]{1,36}$"
        raise Refusal(ILLEGAL, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")
    return text


def whole_in(parameters: Parameters, name: str, default: int) -> int:
    text = parameters.take(name, str(default))
    if not _WHOLE.fullmatch(text):
        raise Refusal(ILLEGAL, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.")
    return int(text)


def _market(listing: Listing, taker: Side, parameters: Parameters, exchange: SimulatedExchange) -> tuple[int, int]:
    """Rule 3: the price and the quantity."""
    picture = exchange.book(listing.symbol)
    levels = list(zip(*(picture.asks if taker is Side.BUY else picture.bids), strict=True))
    if not levels:
        raise Refusal(REJECTED, "Order book liquidity is less than symbol minimum quantity.")
    value = parameters.take("quoteOrderQty")
    if value:
        left, quantity = _number(value, "quoteOrderQty", listing.instrument.notional), 0
        for price, offered in levels:
            taken = min(offered, left // price)
            left, quantity = left - taken * price, quantity + taken
        quantity -= quantity % listing.lot
    else:
        quantity = _number(parameters.must("quantity"), "quantity", listing.instrument.quantity)
    needed, reached = quantity, levels[0][0]
    for price, offered in levels:
        if needed <= 0:
            break
        needed, reached = needed - offered, price
    # Levels may rest between the ticks; a limit may not.
    beyond = -reached % listing.tick if taker is Side.BUY else -(reached % listing.tick)
    return reached + beyond, quantity


def _one_of(text: str, known: tuple[str, ...], code: int, name: str) -> str:
    if text not in known:
        raise Refusal(code, f"Invalid {name}.")
    return text


def _lifetime(parameters: Parameters) -> Terms:
    return TERMS[_one_of(parameters.must("timeInForce"), tuple(TERMS), BAD_LIFETIME, "timeInForce")]


def _number(text: str, name: str, read: Callable[[str], int]) -> int:
    """On the instrument's scale."""
    if not _NUMBER.fullmatch(text):
        raise Refusal(ILLEGAL, f"Illegal characters found in parameter '{name}'.")
    if len(text.partition(".")[2]) > DECIMALS:
        raise Refusal(TOO_PRECISE, f"Parameter '{name}' has too much precision.")
    try:
        return read(text)
    except NumberRefused:
        raise Refusal(TOO_PRECISE, f"Parameter '{name}' has too much precision.") from None
