"""Keys: who sends a request is proven by its signature, which holds for a few seconds and once.

`X-API-Key` names the key, `X-Timestamp-Ns` is the sender's time (ns since the Unix epoch), and `X-Signature` is the
hex HMAC-SHA256, by the key's secret, over that time, the method, the path with its query as it was sent, and the body,
each ended by a newline.

A one-time link is signed the same way, by a method that HTTP does not have. It signs a browser in, once.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import NamedTuple, Protocol

from aiohttp import web

from aggregator.api.admission import Admission
from aggregator.api.problems import Code, Problem
from aggregator.config.keys import ApiKey, Scope
from aggregator.domain.numbers import format_decimal

WINDOW_NS = 5_000_000_000
"""How far the sender's time may be from ours, either way."""

REMEMBERED_NS = 2 * WINDOW_NS
"""A signature made at the later end of the window is good until the window has passed over it."""

SEEN_AT_MOST = 20_000
"""Signatures that are remembered of one key in `REMEMBERED_NS`. Past that its requests are refused until older ones are
forgotten: one that was forgotten too early could be sent again."""

LINK_NS = 3600 * 1_000_000_000
"""A one-time link is good for this long."""

LINKS_AT_MOST = 1_000
"""Links that are remembered as used. Past that none is followed until older ones have expired."""

NOBODY = b"\0" * 32
"""Signs for keys that do not exist, so that they take as long to refuse as those that do."""

_TIME = re.compile("[0-9]{1,19}")
_LINK = ("LINK", "/session", b"")


class Caller(NamedTuple):
    """Who sent a request that is proven to be theirs. `order_notional` is the most that an order of theirs may come to,
    by quote asset, on ASSET_DECIMALS; None is without a limit."""

    key: str
    account: str
    scopes: tuple[Scope, ...]
    order_notional: Mapping[str, int] | None = None


Answering = Callable[[web.Request, Caller], Awaitable[web.StreamResponse]]


def signature(secret: str | bytes, timestamp: str, method: str, path: str, body: bytes) -> str:
    """Of a request; `path` has its query, both as they are sent."""
    signed = f"{timestamp}\n{method}\n{path}\n".encode() + body + b"\n"
    key = secret.encode() if isinstance(secret, str) else secret
    return hmac.new(key, signed, hashlib.sha256).hexdigest()


def one_time_link(key: str, secret: str, now_ns: int) -> str:
    """What a browser is signed in by, once; it needs no escaping in a URL."""
    return f"{key}.{now_ns}.{signature(secret, str(now_ns), *_LINK)}"


class Cookies(Protocol):
    """Tells by its cookie who sent a request, None when it has none that holds. Raises Problem for what the caller's
    own page cannot have sent."""

    def caller(self, request: web.Request) -> Caller | None: ...


class Keys:
    """All keys that there are. Without any, nobody comes in, and the answer says how to change that. With `cookies`
    whoever has a session needs no signature. `anonymous` are the scopes that whoever has neither has as well. Each
    caller is held to the limits of the key, which need to know when connections are a proxy's."""

    def __init__(
        self,
        keys: Iterable[ApiKey],
        clock_ns: Callable[[], int],
        cookies: Cookies | None = None,
        *,
        anonymous: Collection[Scope] = (),
        is_behind_proxy: bool = False,
    ) -> None:
        self._anonymous = frozenset(anonymous)
        keys = tuple(keys)
        self._admission = Admission(keys, clock_ns, is_behind_proxy=is_behind_proxy)
        self._keys = {key.key: key for key in keys}
        self._seen = {key: _Seen() for key in self._keys}
        self._followed: dict[str, int] = {}
        self._cookies = cookies
        self._clock_ns = clock_ns
        self._started_ns = clock_ns()

    def guarded(self, answer: Answering, *scopes: Scope) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """A route for callers who have one of these scopes."""

        async def answer_the_entitled(request: web.Request) -> web.StreamResponse:
            caller = await self.caller(request)
            refuse_without(scopes, caller)
            return await answer(request, caller)

        return answer_the_entitled

    def are_needed(self, scopes: Iterable[Scope]) -> bool:
        """Whether nobody comes in without a key where one of these scopes is asked for."""
        return self._anonymous.isdisjoint(scopes)

    async def caller(self, request: web.Request) -> Caller:
        """Who sent this, by its signature or, when it has none, by its cookie. Raises Problem."""
        if self._cookies is not None and "X-API-Key" not in request.headers:
            caller = self._by_cookie(request)
            if caller is not None:
                return caller
        return await self.signer(request)

    async def caller_if_any(self, request: web.Request) -> Caller | None:
        """None for who has neither signature nor session, and sees what all may see. Raises Problem."""
        if "X-API-Key" in request.headers:
            return await self.signer(request)
        return self._by_cookie(request)

    async def signer(self, request: web.Request) -> Caller:
        """Who signed this. Raises Problem."""
        self._refuse_without_keys()
        headers = request.headers
        name, timestamp, told = (headers.get(header) for header in ("X-API-Key", "X-Timestamp-Ns", "X-Signature"))
        if name is None or timestamp is None or told is None:
            detail = "sign the request: the headers X-API-Key, X-Timestamp-Ns and X-Signature belong to it"
            raise Problem(401, Code.KEY_REQUIRED, "key required", detail)
        body = await request.read()
        return self.prove(request, name, timestamp, told, request.method, request.raw_path, body)

    def prove(
        self, request: web.Request, name: str, timestamp: str, told: str, method: str, path: str, body: bytes
    ) -> Caller:
        """Whose signature `told` is over all this; from now on it is used. `request` brought it, or opened the stream
        that did. Raises Problem."""
        self._refuse_without_keys()
        now_ns = self._clock_ns()
        sent_ns = _time(timestamp)
        _refuse_untimely(sent_ns, now_ns)
        self._refuse_from_before(sent_ns, "the request was made")
        key = self._proven(name, timestamp, told, method, path, body)
        if key is None:
            detail = "there is no such key, or the signature is not its own over timestamp, method, path with query and"
            raise Problem(401, Code.SIGNATURE_REFUSED, "signature refused", f"{detail} body, each ended by a newline")
        self._seen[name].take(told, now_ns)
        self._admission.admit(name, request)
        return _caller(key)

    def follow(self, request: web.Request, link: str) -> Caller:
        """Whose one-time link this is; from now on it is used. Raises Problem."""
        self._refuse_without_keys()
        rest, _, told = link.rpartition(".")
        name, _, timestamp = rest.rpartition(".")
        made_ns, now_ns = _time(timestamp, "the link's time"), self._clock_ns()
        if not -WINDOW_NS <= now_ns - made_ns < LINK_NS:
            detail = (
                f"a link is good for {LINK_NS // 60_000_000_000} minutes; have a new one made, or sign in with a key"
            )
            raise Problem(401, Code.REQUEST_EXPIRED, "not of now", detail)
        self._refuse_from_before(made_ns, "the link was made")
        key = self._proven(name, timestamp, told, *_LINK)
        if key is None:
            detail = "there is no such key, or the link is not its own; follow it as it was given"
            raise Problem(401, Code.SIGNATURE_REFUSED, "link refused", detail)
        self._use(link, made_ns, now_ns)
        self._admission.admit(name, request)
        return _caller(key)

    def _by_cookie(self, request: web.Request) -> Caller | None:
        caller = None if self._cookies is None else self._cookies.caller(request)
        if caller is not None:
            self._admission.admit(caller.key, request)
        return caller

    def _use(self, link: str, made_ns: int, now_ns: int) -> None:
        self._followed = {other: at_ns for other, at_ns in self._followed.items() if now_ns - at_ns < LINK_NS}
        if link in self._followed:
            detail = "this link was followed before, and is good only once; sign in with a key, or have a new one made"
            raise Problem(401, Code.REQUEST_REPEATED, "link used", detail)
        if len(self._followed) >= LINKS_AT_MOST:
            detail = f"more than {LINKS_AT_MOST} links were followed within their time; sign in with a key"
            raise Problem(429, Code.TOO_MANY_REQUESTS, "too many requests", detail)
        self._followed[link] = made_ns

    def _refuse_without_keys(self) -> None:
        if not self._keys:
            detail = "this service has no keys, so nobody may ask for this; name a file of them under `keys` in its"
            others = "configuration, open market data to all with `listen.anonymous: [read]`, or run the demo"
            raise Problem(403, Code.NO_KEYS, "no keys", f"{detail} {others}")

    def _refuse_from_before(self, made_ns: int, subject: str) -> None:
        # What was seen before the start is forgotten, so all that was signed before it counts as seen.
        if made_ns < self._started_ns:
            detail = f"{subject} before this service started; sign it anew, with a new timestamp"
            raise Problem(401, Code.REQUEST_EXPIRED, "not of now", detail)

    def _proven(self, name: str, timestamp: str, told: str, method: str, path: str, body: bytes) -> ApiKey | None:
        """The key, if this signature is its own."""
        key = self._keys.get(name)
        right = signature(key.secret if key else NOBODY, timestamp, method, path, body)
        # Compared in constant time, and as bytes: a header may hold any character.
        is_right = hmac.compare_digest(right.encode(), told.encode("utf-8", "surrogateescape"))
        return key if is_right else None


class _Seen:
    """The signatures of one key that may still be repeated: those of now, and those of the period before."""

    def __init__(self) -> None:
        self._now: set[str] = set()
        self._before: set[str] = set()
        self._since_ns = 0

    def take(self, told: str, now_ns: int) -> None:
        """Remember a signature. Raises Problem for one that came before, or when there are too many."""
        if now_ns - self._since_ns >= REMEMBERED_NS:
            is_next = now_ns - self._since_ns < 2 * REMEMBERED_NS
            self._before = self._now if is_next else set()
            self._now, self._since_ns = set(), now_ns
        if told in self._now or told in self._before:
            detail = "this very request came before; sign it anew, with a new timestamp"
            raise Problem(401, Code.REQUEST_REPEATED, "sent before", detail)
        if len(self._now) >= SEEN_AT_MOST:
            seconds = REMEMBERED_NS // 1_000_000_000
            detail = f"more than {SEEN_AT_MOST} requests of this key in {seconds} s; send more slowly"
            raise Problem(429, Code.TOO_MANY_REQUESTS, "too many requests", detail)
        self._now.add(told)


def refuse_without(scopes: Iterable[Scope], caller: Caller) -> None:
    """Raises Problem for a caller who has none of these scopes."""
    if set(scopes).isdisjoint(caller.scopes):
        held = ", ".join(caller.scopes)
        detail = f"this needs a key with scope {' or '.join(scopes)}; {caller.key} has {held}"
        raise Problem(403, Code.SCOPE_REQUIRED, "not allowed", detail)


def _caller(key: ApiKey) -> Caller:
    return Caller(key.key, key.account, key.scopes, key.order_notional)


def _time(text: str, name: str = "X-Timestamp-Ns") -> int:
    if not _TIME.fullmatch(text):
        detail = f"{name}={text[:64]!r}: give ns since the Unix epoch, in digits only"
        raise Problem(401, Code.REQUEST_EXPIRED, "no time", detail)
    return int(text)


def _refuse_untimely(sent_ns: int, now_ns: int) -> None:
    if abs(now_ns - sent_ns) <= WINDOW_NS:
        return
    apart = format_decimal(abs(now_ns - sent_ns) // 1_000_000, 3)
    word = "old" if sent_ns < now_ns else "ahead of its time"
    detail = f"the request is {apart} s {word}; at most {WINDOW_NS // 1_000_000_000} s are allowed, so set the clock"
    raise Problem(401, Code.REQUEST_EXPIRED, "not of now", detail)
