"""Who may come in: a file of keys, their secrets, and what each of them may do."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, WithJsonSchema

from aggregator.config.document import Document, Fault, Position, shown
from aggregator.config.scalars import Account, Asset, KeyName, Money, Rate, Secret, from_text
from aggregator.config.schema import Reading, Root, Section, read_text, unreadable

Scope: TypeAlias = Literal["read", "trade", "admin", "oversight"]

OTHERS = 0o077
"""The bits of a file's mode that let anybody but its owner in."""


def read_network(text: str) -> IPv4Network | IPv6Network:
    """An address is a network of its own. Raises ValueError."""
    try:
        return ip_network(text)
    except ValueError:
        right = "an address such as 203.0.113.7, or a network such as 203.0.113.0/24 with no bits set past its length"
        raise ValueError(f"{shown(text)} is not {right}") from None


Network = Annotated[
    IPv4Network | IPv6Network,
    from_text(read_network, "an address or a network"),
    WithJsonSchema({"type": "string", "examples": ["203.0.113.7", "2001:db8::/32"]}),
]


class ApiKey(Section):
    """A key. Whoever holds its secret acts for its account."""

    key: KeyName
    """The name of the key, sent with every request. It is no secret."""
    secret: Secret = Field(repr=False)
    """What requests are signed with: 32 to 128 characters, made at random."""
    account: Account
    """The account whose orders it places and sees."""
    scopes: tuple[Scope, ...] = Field(min_length=1, examples=[["read", "trade"]])
    """What it may do: `read`, `trade`, `admin` (the kill switch, balances of the house, canceling for everyone),
    `oversight` (every account's orders, fills and ledger, to read; it cannot trade)."""
    requests_per_second: Rate | None = None
    """The most requests that are taken from it in a second, 1 to 1000, whether they are signed or come by its page's
    session. Left out: no such limit."""
    order_notional: dict[Asset, Money] | None = Field(default=None, json_schema_extra={"additionalProperties": False})
    """The most that one parent order of this key may come to, by quote asset; where assets are named, the others have
    none. It holds beside the limits of its account. Left out: no such limit."""
    addresses: tuple[Network, ...] | None = Field(default=None, min_length=1, examples=[["203.0.113.0/24"]])
    """Where its requests come from. Behind a proxy that is the last address in `X-Forwarded-For`, which the proxy has
    to append. Left out: from anywhere."""


class KeyFile(Root):
    """The keys of everyone who may come in. Only its owner may be able to read this file."""

    api_keys: tuple[ApiKey, ...] = Field(min_length=1)
    """The keys, each of another name."""


def read_key_file(path: Path) -> Reading[KeyFile]:
    """A file that others may read is refused: its secrets may be known already."""
    try:
        mode = path.stat().st_mode & 0o777
        raw = path.read_bytes()
    except OSError as error:
        return Reading(str(path), faults=(unreadable(path, error),))
    reading = read_text(raw, str(path), KeyFile, key_relations)
    if not mode & OTHERS:
        return reading
    text = (
        f"others than its owner may open this file (mode {mode:04o}); run `chmod 600 {path}`, and replace its secrets"
    )
    told = Document(str(path)).line(Fault(Position(1, 1), (), text))
    return Reading(reading.file, reading.document, faults=(told, *reading.faults))


def key_relations(document: Document) -> Iterator[Fault]:
    keys = document.at(("api_keys",))
    if not isinstance(keys, tuple):
        return
    first: dict[str, int] = {}
    for index in range(len(keys)):
        name = document.at(("api_keys", index, "key"))
        if isinstance(name, str) and first.setdefault(name, index) != index:
            line = document.values["api_keys", first[name], "key"].line
            yield document.fault(("api_keys", index, "key"), f"{name} is given a second time, first on line {line}")
        scopes = document.at(("api_keys", index, "scopes"))
        if isinstance(scopes, tuple) and {"oversight", "trade"} <= {
            scope for scope in scopes if isinstance(scope, str)
        }:
            text = "oversight and trade in one key: who watches over trading must not trade; make two keys"
            yield document.fault(("api_keys", index, "scopes"), text)
