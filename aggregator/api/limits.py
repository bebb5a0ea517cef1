"""How much one client may take up."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Limits:
    """What is beyond them is refused, with the limit in the answer, or cut off where nobody would read an answer.

    Quantities of bytes are of what is sent. `connections_per_address` counts an IPv6 network of 64 bits as one address,
    for one client has all of it. How deep JSON may be nested follows from the declarations in `schema`.
    """

    body: int = 64 * 1024
    uri: int = 2_048
    """The path with its query."""
    header: int = 8_190
    """One header, or the request line."""
    headers: int = 64
    """How many there may be."""
    connections: int = 1_024
    connections_per_address: int = 256
    idle_s: float = 30
    """A connection on which no whole head of a request came for so long is closed: it is idle, or too slow."""
    body_s: float = 10
    """A body is whole so long after its head."""
    unread_s: float = 30
    """A client that takes nothing of its answer for so long is cut off."""
    lingering_s: float = 1
    """What still comes of a request that was answered already is read for so long, and then cut off."""


def limits_behind_proxy() -> Limits:
    """Where every client's connection is the proxy's, which has to limit them by address itself."""
    limits = Limits()
    return replace(limits, connections_per_address=limits.connections)
