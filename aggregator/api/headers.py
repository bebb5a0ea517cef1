"""What stands in the head of every answer, so that no browser does more with it than it should."""

from __future__ import annotations

from collections.abc import Collection

from aiohttp import web
from multidict import CIMultiDict

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of a page of ours: its own files, nothing inline, in nobody's frame."""

DEFAULTS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""Of every answer that does not say otherwise itself."""

SERVER = "aggregator"
"""Which library of which version answers is nobody's business."""

_SENT_ACROSS = "Content-Type, X-API-Key, X-Timestamp-Ns, X-Signature"
_PREFLIGHT_S = 600


class Heads:
    """Completes the head of each answer. Pages of the `origins` may read answers and sign requests; cookies are never
    taken from them. Without any, no other site's page can."""

    def __init__(self, origins: Collection[str] = ()) -> None:
        self._origins = frozenset(origins)

    async def complete(self, request: web.Request, response: web.StreamResponse) -> None:
        headers = response.headers
        for name, value in DEFAULTS.items():
            headers.setdefault(name, value)
        headers["Server"] = SERVER
        if self._origins:
            self._share(request, headers)

    def preflight(self, request: web.Request) -> web.Response | None:
        """The answer to a browser that asks whether a page of another origin may send this; None when it may not."""
        wanted = request.headers.get("Access-Control-Request-Method")
        if request.method != "OPTIONS" or wanted is None or request.headers.get("Origin") not in self._origins:
            return None
        headers = {
            "Access-Control-Allow-Methods": "GET, POST, PATCH, DELETE",
            "Access-Control-Allow-Headers": _SENT_ACROSS,
            "Access-Control-Max-Age": str(_PREFLIGHT_S),
        }
        return web.Response(status=204, headers=headers)

    def _share(self, request: web.Request, headers: CIMultiDict[str]) -> None:
        # Also where the origin is another one: a cache must not give one origin's answer to the next.
        headers.add("Vary", "Origin")
        origin = request.headers.get("Origin")
        if origin in self._origins:
            headers["Access-Control-Allow-Origin"] = origin
