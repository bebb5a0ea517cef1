"""Who may trade at the simulated HTX: keys, signatures and clocks, checked as the venue does.

1. A request signs its method, host, path and all parameters of its query but `Signature`, percent-encoded and sorted.
   Its body is not signed.
2. A login to the private socket signs GET, the host, the socket's path and four of its own parameters.
3. Either tells its time in UTC, and five minutes are let pass.
4. The host is the one that the client called. Requests tell it in a header, if their carrier has one at all; sockets
   do not, so a login may be for any host that requests were called at.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote_plus

from connectors.simulation.account import SimulatedAccount
from connectors.simulation.contract import HttpRequest

SECOND = 1_000_000_000
TOLERANCE_NS = 300 * SECOND
HOSTS_AT_MOST = 16
SIGNED_IN_LOGIN = ("accessKey", "signatureMethod", "signatureVersion", "timestamp")


class KeyRefused(Exception):
    """The text is the venue's."""


class Keys:
    """Those of one account, or of none, whom nobody can pass for. `host` is where requests are taken to have been
    called that do not tell it."""

    def __init__(self, account: SimulatedAccount | None, host: str) -> None:
        self._account = account
        self._host = host
        self._heard: set[str] = set()

    @property
    def has_heard_hosts(self) -> bool:
        return bool(self._heard)

    def check_request(self, request: HttpRequest, now_ns: int) -> SimulatedAccount:
        """Raises KeyRefused."""
        path, _, query = request.target.partition("?")
        parameters = dict(parse_qsl(query, keep_blank_values=True))
        given = parameters.pop("Signature", "")
        account = self._known(parameters.get("AccessKeyId"), parameters.get("Timestamp", ""), now_ns)
        methods = parameters.get("SignatureMethod"), parameters.get("SignatureVersion")
        host = self._host_of(request.headers)
        if methods != ("HmacSHA256", "2") or not _fits(account.secret, given, request.method, [host], path, parameters):
            raise KeyRefused("Verification failure")
        return account

    def check_login(self, parameters: Mapping[str, str], path: str, now_ns: int) -> bool:
        """Whether the signature fits. Raises KeyRefused for what no host could mend."""
        account = self._known(parameters.get("accessKey"), parameters.get("timestamp", ""), now_ns)
        methods = parameters.get("signatureMethod"), parameters.get("signatureVersion")
        if methods != ("HmacSHA256", "2.1") or parameters.get("authType") != "api":
            raise KeyRefused("Verification failure")
        signed = {name: parameters.get(name, "") for name in SIGNED_IN_LOGIN}
        return _fits(account.secret, parameters.get("signature", ""), "GET", {self._host, *self._heard}, path, signed)

    def hear(self, request: HttpRequest) -> None:
        """Rule 4."""
        host = self._host_of(request.headers)
        if host != self._host and len(self._heard) < HOSTS_AT_MOST:
            self._heard.add(host)

    def _known(self, key: str | None, timestamp: str, now_ns: int) -> SimulatedAccount:
        if self._account is None or key != self._account.key:
            raise KeyRefused("Incorrect Access key")
        try:
            told = datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
        except ValueError:
            raise KeyRefused("Incorrect Timestamp format") from None
        if abs(int(told.timestamp()) * SECOND - now_ns) > TOLERANCE_NS:  # rule 3
            raise KeyRefused("Invalid submission time")
        return self._account

    def _host_of(self, headers: Mapping[str, str]) -> str:
        return next((value for name, value in headers.items() if name.lower() == "host"), self._host)


def _fits(secret: str, given: str, method: str, hosts: Iterable[str], path: str, parameters: Mapping[str, str]) -> bool:
    """Rules 1 and 2."""
    canonical = "&".join(sorted(f"{quote_plus(name)}={quote_plus(value)}" for name, value in parameters.items()))
    for host in hosts:
        text = f"{method}\n{host.lower()}\n{path}\n{canonical}"
        made = base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest())
        if hmac.compare_digest(made, given.encode()):
            return True
    return False
