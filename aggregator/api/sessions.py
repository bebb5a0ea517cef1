"""Sessions: how the page stays signed in without holding a secret.

Whoever signs in proves a key once, by a signed `POST /session` or by a one-time link, and gets a cookie that scripts
cannot read and that other sites cannot have sent. What changes something by cookie must come from the page itself: its
`Origin` must be ours, and it must carry the session's own token, which only a page of ours can have read.

Cookies do not tell ports apart, and to a browser another port of this machine is the same site: `SameSite` alone would
not keep its pages out.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from aiohttp import web

from aggregator.api.auth import Caller, Keys
from aggregator.api.problems import Code, Problem
from aggregator.api.reading import answered, decoded

LIFETIME_NS = 12 * 3600 * 1_000_000_000
"""A session ends this long after the sign-in, whatever happens: a working day."""

IDLE_NS = 30 * 60 * 1_000_000_000
"""And this long after its last request. A page that is open asks more often than that."""

SESSIONS_AT_MOST = 50
"""Of one key at once. One more ends the one that has been unused for the longest."""

TOKEN_HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(slots=True)
class Session:
    """`token` is what the page's changing requests carry."""

    caller: Caller
    token: str
    since_ns: int
    used_ns: int

    def is_over(self, now_ns: int) -> bool:
        return now_ns - self.since_ns >= LIFETIME_NS or now_ns - self.used_ns >= IDLE_NS


class Sessions:
    """All sessions, in memory: a new start of the service ends them. `is_secure` says that browsers come through a
    proxy that speaks TLS; it must pass the `Host` header on."""

    def __init__(self, clock_ns: Callable[[], int], *, is_secure: bool = False) -> None:
        self._clock_ns = clock_ns
        self._is_secure = is_secure
        # By the fingerprint of what the cookie holds: how long a look-up takes says nothing about any cookie.
        self._open: dict[bytes, Session] = {}

    @property
    def cookie(self) -> str:
        """Its name. Browsers take `__Host-` only over TLS, from this very host, for all of its paths."""
        return "__Host-aggregator" if self._is_secure else "aggregator"

    def open(self, caller: Caller, answer: web.Response) -> Session:
        """A new session, whose cookie goes out with this answer."""
        now_ns = self._clock_ns()
        self._make_room(caller.key, now_ns)
        secret = secrets.token_urlsafe(32)
        session = self._open[_fingerprint(secret)] = Session(caller, secrets.token_urlsafe(32), now_ns, now_ns)
        answer.set_cookie(
            self.cookie,
            secret,
            max_age=LIFETIME_NS // 1_000_000_000,
            path="/",
            httponly=True,
            secure=self._is_secure,
            samesite="Strict",
        )
        return session

    def find(self, request: web.Request) -> Session | None:
        """The session that the request's cookie names, if it has not ended."""
        secret = request.cookies.get(self.cookie)
        if secret is None:
            return None
        name, now_ns = _fingerprint(secret), self._clock_ns()
        session = self._open.get(name)
        if session is None or session.is_over(now_ns):
            self._open.pop(name, None)
            return None
        session.used_ns = now_ns
        return session

    def caller(self, request: web.Request) -> Caller | None:
        """Who sent this by cookie, None without a session. Raises Problem for what another site may have sent."""
        session = self.find(request)
        if session is None:
            return None
        is_upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
        if is_upgrade or request.method not in SAFE_METHODS:
            # Browsers let any site open a WebSocket with our cookie, and let it set no header: its Origin must do.
            self.refuse_other_origins(request)
        if request.method not in SAFE_METHODS and not _is_same(session.token, request.headers.get(TOKEN_HEADER, "")):
            detail = f"by cookie this needs the header {TOKEN_HEADER} with the token that GET /session tells"
            raise Problem(403, Code.CROSS_SITE, "not from this session's page", detail)
        return session.caller

    def close(self, request: web.Request, answer: web.Response) -> None:
        self._open.pop(_fingerprint(request.cookies.get(self.cookie, "")), None)
        answer.del_cookie(self.cookie, path="/", httponly=True, secure=self._is_secure, samesite="Strict")

    def refuse_other_origins(self, request: web.Request) -> None:
        """Raises Problem."""
        ours, told = f"{'https' if self._is_secure else 'http'}://{request.host}", request.headers.get("Origin")
        if told != ours:
            detail = f"the request comes from {'no page' if told is None else told[:80]}; send it from a page of {ours}"
            raise Problem(403, Code.CROSS_SITE, "not from this site", f"{detail}, or sign it instead")

    def _make_room(self, key: str, now_ns: int) -> None:
        self._open = {name: session for name, session in self._open.items() if not session.is_over(now_ns)}
        own = [name for name, session in self._open.items() if session.caller.key == key]
        if len(own) >= SESSIONS_AT_MOST:
            del self._open[min(own, key=lambda name: self._open[name].used_ns)]


class LinkBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /session/link`."""

    link: str


class SessionRoutes:
    """`/session`: in, by a signature or by a one-time link; who it is; out."""

    def __init__(self, keys: Keys, sessions: Sessions) -> None:
        self._keys = keys
        self._sessions = sessions

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/session", self.show),
            web.post("/session", self.sign_in),
            web.post("/session/link", self.follow_link),
            web.delete("/session", self.sign_out),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """Whose page it is. Without a session that is an answer too: every page asks."""
        session = self._sessions.find(request)
        return _private(answered(_shown(session)))

    async def sign_in(self, request: web.Request) -> web.Response:
        """Signed as any other request; the secret itself is never sent."""
        self._sessions.refuse_other_origins(request)
        return self._opened(await self._keys.signer(request))

    async def follow_link(self, request: web.Request) -> web.Response:
        self._sessions.refuse_other_origins(request)
        return self._opened(self._keys.follow(request, decoded(await request.read(), LinkBody).link))

    async def sign_out(self, request: web.Request) -> web.Response:
        self._sessions.caller(request)
        answer = _private(answered(_shown(None)))
        self._sessions.close(request, answer)
        return answer

    def _opened(self, caller: Caller) -> web.Response:
        answer = _private(web.Response(status=201, content_type="application/json"))
        answer.body = answered(_shown(self._sessions.open(caller, answer))).body
        return answer


def _shown(session: Session | None) -> dict[str, object]:
    if session is None:
        return {"signed_in": False}
    caller = session.caller
    return {
        "signed_in": True,
        "key": caller.key,
        "account": caller.account,
        "scopes": list(caller.scopes),
        "token": session.token,
        "ends_ns": session.since_ns + LIFETIME_NS,
    }


def _private(answer: web.Response) -> web.Response:
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _fingerprint(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def _is_same(right: str, told: str) -> bool:
    return hmac.compare_digest(right.encode(), told.encode("utf-8", "surrogateescape"))
