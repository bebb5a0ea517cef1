"""Texts to values: one reader for each kind of scalar that a configuration holds.

A reader gets the text as it was written and returns the exact value, or says what is wrong and what would be right.
Beside each stands the JSON Schema from which an editor checks the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, time
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, WithJsonSchema

from aggregator.config.document import kind, shown
from aggregator.domain.errors import NumberRefused
from aggregator.domain.numbers import (
    LIMIT,
    MAX_DECIMALS,
    POWERS,
    RATE_DECIMALS,
    RATE_ONE,
    decimals_of,
    format_decimal,
    parse_decimal,
    parse_rate,
)
from aggregator.domain.order import ASSET_DECIMALS
from aggregator.domain.plan import NET_DECIMALS

NS_PER_UNIT = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}

HIGHEST_FEE = RATE_ONE // 10
"""A tenth, on RATE_DECIMALS. No venue takes that much: a percentage was written for a ratio."""

MOST_MONEY: int = 10 ** (ASSET_DECIMALS + 15)
"""On ASSET_DECIMALS."""

MOST_RATE: int = 10 ** (NET_DECIMALS + 15)
"""On NET_DECIMALS."""

MAX_WHOLE = 2**63 - 1

_WHOLE = re.compile("0|[1-9][0-9]{0,18}")
"""No leading zero: YAML 1.1 would read `010` as 8."""

_DURATION = re.compile("([0-9]{1,6})(ms|s|m|h)")
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile("([01][0-9]|2[0-3]):[0-5][0-9]")
_ENVIRONMENT_NAME = re.compile("[A-Z][A-Z0-9_]*")
_SECRET = re.compile("[A-Za-z0-9_+/=-]{32,128}")
_KEY_LIKE = re.compile("(?=.*[0-9])[A-Z0-9]{20,}")
"""Upper-case letters and digits without a pause: a name could be written so, but is not."""


def from_text(read: Callable[[str], object], right: str) -> BeforeValidator:
    """What `read` makes of a scalar's text. `right` says in words what belongs there."""

    def check(value: object) -> object:
        if not isinstance(value, str):
            raise ValueError(f"{kind(value)} where {right} belongs")
        return read(value)

    return BeforeValidator(check)


def matching(pattern: str, wanted: str) -> BeforeValidator:
    """A text that fits a pattern whole. `wanted` says in words what that is."""
    compiled = re.compile(pattern)

    def read(text: str) -> str:
        if not compiled.fullmatch(text) or not text.isprintable():
            raise ValueError(f"{shown(text)} is not {wanted}")
        return text

    return from_text(read, wanted)


def read_switch(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError(f"{shown(text)} is neither true nor false")
    return text == "true"


def whole_number(lowest: int, highest: int) -> BeforeValidator:
    wanted = f"a whole number from {lowest} to {highest}"

    def read(text: str) -> int:
        if not _WHOLE.fullmatch(text) or not lowest <= int(text) <= highest:
            raise ValueError(f"{shown(text)} is not {wanted}, written in digits only")
        return int(text)

    return from_text(read, wanted)


def read_exact(text: str) -> str:
    """The same number written plainly: `1e-8` becomes `0.00000001`."""
    plain = read_exact_or_zero(text)
    if plain == "0":
        raise ValueError("0 rules nothing out; remove the key when the venue states no such rule")
    return plain


def read_exact_or_zero(text: str) -> str:
    try:
        decimals = decimals_of(text)
    except NumberRefused as error:
        raise ValueError(f"{shown(text)} is not a positive decimal number such as 0.01") from error
    if decimals > MAX_DECIMALS:
        raise ValueError(f"{shown(text)} has more than {MAX_DECIMALS} decimals, finer than any price or quantity")
    try:
        value = parse_decimal(text, MAX_DECIMALS)
    except NumberRefused:
        value = LIMIT
    if value >= LIMIT:
        raise ValueError(f"{shown(text)} is longer or larger than any price or quantity")
    return format_decimal(value, MAX_DECIMALS)


def read_money(text: str) -> int:
    """Money in some asset, on ASSET_DECIMALS; 0 is nothing at all."""
    try:
        money = parse_decimal(text, MAX_DECIMALS) * POWERS[ASSET_DECIMALS - MAX_DECIMALS]
    except NumberRefused as error:
        raise ValueError(f"{shown(text)} is not a decimal number such as 50000") from error
    if money >= MOST_MONEY:
        raise ValueError(f"{shown(text)} is more than anyone has; leave the limit out where there is none")
    return money


def read_currency_rate(text: str) -> int:
    """What one of an asset is worth in another, on NET_DECIMALS."""
    try:
        rate = parse_decimal(text, NET_DECIMALS)
    except NumberRefused as error:
        raise ValueError(
            f"{shown(text)} is not a decimal number such as 1390.5, of at most {NET_DECIMALS} decimals"
        ) from error
    if not 0 < rate < MOST_RATE:
        raise ValueError(f"{shown(text)} is no rate: nothing is worth nothing, or as much as that")
    return rate


def read_secret(text: str) -> str:
    """The text is never repeated in a fault."""
    if not _SECRET.fullmatch(text):
        raise ValueError(
            "not a secret of 32 to 128 characters out of letters, digits, _, -, +, / and =; make one with "
            "`python3 -c 'import secrets; print(secrets.token_urlsafe(32))'`"
        )
    return text


def read_ratio(text: str) -> int:
    """A fee on RATE_DECIMALS."""
    try:
        ratio = parse_rate(text)
    except NumberRefused:
        ratio = RATE_ONE
    if ratio > HIGHEST_FEE:
        wanted = f"a ratio from 0 to 0.1 of at most {RATE_DECIMALS} decimals"
        raise ValueError(f"{shown(text)} is not {wanted}; write 0.1 % as 0.001")
    return ratio


def read_duration(text: str) -> int | None:
    """ns; None for `off`."""
    if text == "off":
        return None
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{shown(text)} is not a duration; write 500ms, 10s, 2m, 24h, or off")
    duration_ns = int(match.group(1)) * NS_PER_UNIT[match.group(2)]
    if not duration_ns:
        raise ValueError(f"{shown(text)} lets nothing pass; write off to switch the test off")
    return duration_ns


def read_age(text: str) -> int:
    """ns. What may be of any age is not believed, so there is no `off`."""
    age_ns = read_duration(text)
    if age_ns is None:
        raise ValueError("off would believe it however old it is; write a duration such as 10s or 24h")
    return age_ns


def read_time(text: str) -> time:
    if not _TIME.fullmatch(text):
        raise ValueError(f"{shown(text)} is not a time of the day; write it as 09:00")
    return time.fromisoformat(text)


def read_day(text: str) -> date:
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{shown(text)} is not a day of the calendar") from error
    raise ValueError(f"{shown(text)} is not a day; write it as 2022-11-11")


def address(*schemes: str) -> BeforeValidator:
    example = f"{schemes[0]}://example.org/path"

    def read(text: str) -> str:
        try:
            # urlsplit drops blanks inside, and reads the port only when asked.
            parts = urlsplit(text if text.isprintable() and " " not in text else "")
            is_sound = parts.scheme in schemes and parts.hostname and parts.port != 0 and not parts.fragment
            has_credentials = "@" in parts.netloc
        except ValueError:
            is_sound, has_credentials = False, "@" in text
        if has_credentials:
            raise ValueError("an address with a user name or password in it; secrets are named under `secrets`")
        if not is_sound:
            raise ValueError(f"{shown(text)} is not an address such as {example}")
        return text

    return from_text(read, f"an address such as {example}")


def read_environment_name(text: str) -> str:
    """The text is never repeated in a fault: it may be the secret itself."""
    if _ENVIRONMENT_NAME.fullmatch(text) and not _KEY_LIKE.fullmatch(text):
        return text
    if len(text) >= 16:
        raise ValueError(
            "this looks like the secret itself; put it in an environment variable and write that one's name here, "
            "such as BINANCE_API_KEY (and replace the secret: it has been in a file)"
        )
    raise ValueError("not a name of an environment variable: capitals, digits and _, such as BINANCE_API_KEY")


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _any_is_none(value: object) -> object:
    if isinstance(value, str) and value != "any":
        raise ValueError(f"{shown(value)} is neither `any` nor a list such as [USDT, USDC]")
    return None if value == "any" else value


_DECIMAL = r"^([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_ASSET = r"[^\s/a-z]{1,32}"
_IDENTIFIER = "[A-Za-z0-9_.:-]{1,64}"
_NOT_BLANK = r"\S(.{0,198}\S)?"

# Each `examples` is accepted by its own reader; a test holds that.
Text = Annotated[
    str,
    matching(_NOT_BLANK, "a text on one line, of at most 200 characters"),
    WithJsonSchema({"type": "string", "pattern": f"^{_NOT_BLANK}$", "examples": ["Binance"]}),
]
VenueId = Annotated[
    str,
    matching("[a-z][a-z0-9_]{0,31}", "a venue id of small letters, digits and _, such as gateio"),
    WithJsonSchema({"type": "string", "pattern": "^[a-z][a-z0-9_]{0,31}$", "examples": ["gateio"]}),
]
Name = Annotated[
    str,
    matching("[a-z][a-z0-9_]{0,31}", "a name of small letters, digits and _, such as krw"),
    WithJsonSchema({"type": "string", "pattern": "^[a-z][a-z0-9_]{0,31}$", "examples": ["krw"]}),
]
ConnectorName = Annotated[
    str,
    matching("[a-z][a-z_]{0,31}", "a connector's name of small letters and _, such as binance"),
    WithJsonSchema({"type": "string", "pattern": "^[a-z][a-z_]{0,31}$", "examples": ["binance"]}),
]
Asset = Annotated[
    str,
    matching(_ASSET, "an asset in capitals, such as USDT"),
    WithJsonSchema({"type": "string", "pattern": f"^{_ASSET}$", "examples": ["USDT"]}),
]
Quotes = Annotated[
    Annotated[tuple[Asset, ...], Field(min_length=1)] | None,
    BeforeValidator(_any_is_none),
    WithJsonSchema(
        {
            "anyOf": [
                {"const": "any"},
                {"type": "array", "minItems": 1, "items": {"type": "string", "pattern": f"^{_ASSET}$"}},
            ],
            "examples": [["USDT", "USDC"], "any"],
        }
    ),
]
InstrumentName = Annotated[
    str,
    matching(f"{_ASSET}/{_ASSET}", "an instrument, base and quote in capitals, such as BTC/USDT"),
    WithJsonSchema({"type": "string", "pattern": f"^{_ASSET}/{_ASSET}$", "examples": ["BTC/USDT"]}),
]
Symbol = Annotated[
    str,
    matching(r"\S{1,64}", "a symbol as the venue spells it, such as BTCUSDT"),
    WithJsonSchema({"type": "string", "pattern": r"^\S{1,64}$", "examples": ["BTCUSDT"]}),
]
Exact = Annotated[
    str,
    from_text(read_exact, "a decimal number such as 0.01"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": _DECIMAL},
                {"type": "number", "exclusiveMinimum": 0},
            ],
            "examples": ["0.01"],
        }
    ),
]
ExactOrZero = Annotated[
    str,
    from_text(read_exact_or_zero, "a decimal number such as 100, or 0"),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string", "pattern": _DECIMAL}, {"type": "number", "minimum": 0}],
            "examples": ["100"],
        }
    ),
]
CurrencyRate = Annotated[
    int,
    from_text(read_currency_rate, "a decimal number such as 1390.5"),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string", "pattern": _DECIMAL}, {"type": "number", "exclusiveMinimum": 0}],
            "examples": ["1390.5"],
        }
    ),
]
Account = Annotated[
    str,
    matching(_IDENTIFIER, "an account: 1 to 64 letters, digits, _, ., : and -"),
    WithJsonSchema({"type": "string", "pattern": f"^{_IDENTIFIER}$", "examples": ["desk"]}),
]
AccountOrRest = Annotated[
    str,
    matching(rf"{_IDENTIFIER}|\*", 'an account, or "*" for all that are not named'),
    WithJsonSchema({"type": "string", "pattern": rf"^({_IDENTIFIER}|\*)$", "examples": ["*"]}),
]
KeyName = Annotated[
    str,
    matching(_IDENTIFIER, "a key's name: 1 to 64 letters, digits, _, ., : and -"),
    WithJsonSchema({"type": "string", "pattern": f"^{_IDENTIFIER}$", "examples": ["desk-1"]}),
]
Secret = Annotated[
    str,
    from_text(read_secret, "a secret"),
    WithJsonSchema({"type": "string", "pattern": f"^{_SECRET.pattern}$"}),
]
Money = Annotated[
    int,
    from_text(read_money, "a decimal number such as 50000"),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string", "pattern": _DECIMAL}, {"type": "number", "minimum": 0}],
            "examples": ["50000"],
        }
    ),
]
BasisPoints = Annotated[
    int,
    whole_number(0, 10_000),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 10_000, "examples": [100]}),
]
Ratio = Annotated[
    int,
    from_text(read_ratio, "a ratio such as 0.001"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": _DECIMAL},
                {"type": "number", "minimum": 0, "maximum": 0.1},
            ],
            "examples": ["0.001"],
        }
    ),
]
Duration = Annotated[
    int | None,
    from_text(read_duration, "a duration such as 10s"),
    WithJsonSchema({"type": "string", "pattern": "^([0-9]{1,6}(ms|s|m|h)|off)$", "examples": ["10s"]}),
]
Age = Annotated[
    int,
    from_text(read_age, "a duration such as 10s"),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,6}(ms|s|m|h)$", "examples": ["10s"]}),
]
Switch = Annotated[
    bool, from_text(read_switch, "true or false"), WithJsonSchema({"type": "boolean", "examples": [True]})
]
Count = Annotated[
    int,
    whole_number(1, 10**9),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 10**9, "examples": [10]}),
]
Rate = Annotated[
    int,
    whole_number(1, 1000),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 1000, "examples": [10]}),
]
Decimals = Annotated[
    int,
    whole_number(0, MAX_DECIMALS),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": MAX_DECIMALS, "examples": [8]}),
]
Port = Annotated[
    int,
    whole_number(0, 65535),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 65535, "examples": [8080]}),
]
Seed = Annotated[
    int,
    whole_number(0, MAX_WHOLE),
    WithJsonSchema({"type": "integer", "minimum": 0, "maximum": MAX_WHOLE, "examples": [7]}),
]
Day = Annotated[
    date,
    from_text(read_day, "a day such as 2022-11-11"),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2022-11-11"]}),
]
TimeOfDay = Annotated[
    time,
    from_text(read_time, "a time of the day such as 09:00"),
    WithJsonSchema({"type": "string", "pattern": f"^({_TIME.pattern})$", "examples": ["09:00"]}),
]
StreamAddress = Annotated[
    str,
    address("wss", "ws"),
    WithJsonSchema({"type": "string", "pattern": "^wss?://", "examples": ["wss://example.org/path"]}),
]
RestAddress = Annotated[
    str,
    address("https", "http"),
    WithJsonSchema({"type": "string", "pattern": "^https?://", "examples": ["https://example.org/path"]}),
]
EnvironmentName = Annotated[
    str,
    from_text(read_environment_name, "the name of an environment variable such as BINANCE_API_KEY"),
    WithJsonSchema({"type": "string", "pattern": "^[A-Z][A-Z0-9_]*$", "examples": ["BINANCE_API_KEY"]}),
]
VenueFiles = Annotated[
    Annotated[tuple[Text, ...], Field(min_length=1)],
    BeforeValidator(_listed),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": {"type": "string"}}],
            "examples": ["venues/", ["venues/binance.yaml"]],
        }
    ),
]
