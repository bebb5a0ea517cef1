"""What a key is held to besides its scopes: where its requests come from, and how many come in a second."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp import web

from aggregator.api.problems import Code, Problem
from aggregator.config.keys import ApiKey

FORWARDED = "X-Forwarded-For"
SECOND = 1_000_000_000

Address = IPv4Address | IPv6Address


class Admission:
    """Holds proven callers to the limits of their keys. What is refused is not counted, and nor is what nobody has
    proven: with it anyone could use up somebody else's requests.

    `is_behind_proxy` says that every connection is a proxy's, which tells who connected to it.
    """

    def __init__(self, keys: Iterable[ApiKey], clock_ns: Callable[[], int], *, is_behind_proxy: bool = False) -> None:
        self._clock_ns = clock_ns
        self._is_behind_proxy = is_behind_proxy
        self._keys = {key.key: key for key in keys}
        self._recent_ns: dict[str, deque[int]] = {key: deque() for key in self._keys}

    def admit(self, name: str, request: web.Request) -> None:
        """One more request of this key. Raises Problem when it is one too many, or from an address that is not the
        key's."""
        key = self._keys[name]
        if key.addresses is not None:
            self._refuse_from_elsewhere(name, key.addresses, request)
        if key.requests_per_second is not None:
            self._count(name, key.requests_per_second)

    def _refuse_from_elsewhere(
        self, name: str, networks: Iterable[IPv4Network | IPv6Network], request: web.Request
    ) -> None:
        address = address_of(request, is_behind_proxy=self._is_behind_proxy)
        if address is not None and any(address in network for network in networks):
            return
        where = f"from {address}" if address is not None else f"without an address: the proxy sends no {FORWARDED}"
        detail = f"key {name} is used {where}; send from one of the addresses that its file names"
        raise Problem(403, Code.ADDRESS_REFUSED, "not from here", detail)

    def _count(self, name: str, most: int) -> None:
        recent, now_ns = self._recent_ns[name], self._clock_ns()
        while recent and recent[0] <= now_ns - SECOND:
            recent.popleft()
        if len(recent) >= most:
            detail = f"key {name} may send {most} requests in a second; send more slowly"
            raise Problem(429, Code.TOO_MANY_REQUESTS, "too many requests", detail)
        recent.append(now_ns)


def address_of(request: web.Request, *, is_behind_proxy: bool) -> Address | None:
    """Who connected. Behind a proxy that is the last address in `X-Forwarded-For`, which the proxy appended itself;
    what stands before it the client may have made up. None where nothing tells."""
    told = ",".join(request.headers.getall(FORWARDED, ())).rpartition(",")[2] if is_behind_proxy else request.remote
    try:
        address = ip_address((told or "").strip().partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
