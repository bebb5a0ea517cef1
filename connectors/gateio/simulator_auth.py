"""Who may trade at the simulated Gate: three kinds of signature, checked after the venue's documents alone.

1. A REST call is signed over five lines: method, path, query (not percent-encoded), SHA-512 of the body, timestamp.
2. A request for a private channel is signed over its channel, event and time.
3. A login for order entry is signed over four lines, the third of which is `req_param` as it was sent, or empty.
4. Each is HMAC-SHA512 in hexadecimal, and its time within a minute of the venue's.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from hashlib import sha512
from typing import Any
from urllib.parse import unquote

from connectors.gateio.simulator_rest import SECOND, Call, Refusal
from connectors.simulation.account import SimulatedAccount

TOLERANCE_S = 60
UNAUTHORIZED = 401


def check_call(account: SimulatedAccount | None, call: Call) -> SimulatedAccount:
    """Rule 1. Returns the account whose call it is; raises Refusal."""
    signed = {name: call.headers.get(name, "") for name in ("key", "timestamp", "sign")}
    for name, value in signed.items():
        if not value:
            raise Refusal("MISSING_REQUIRED_HEADER", f"Missing required header: {name.upper()}", 400)
    path, _, query = call.target.partition("?")
    lines = call.method, path, unquote(query), sha512(call.body).hexdigest(), signed["timestamp"]
    return _check(account, signed["key"], signed["timestamp"], "\n".join(lines), signed["sign"], call.now_ns)


def check_subscription(account: SimulatedAccount | None, request: Mapping[str, Any], now_ns: int) -> None:
    """Rule 2."""
    auth = request.get("auth")
    if not isinstance(auth, dict) or auth.get("method") != "api_key":
        raise Refusal("MISSING_REQUIRED_HEADER", "Missing required auth of method api_key", UNAUTHORIZED)
    time_s = str(request.get("time"))
    text = f"channel={request.get('channel')}&event={request.get('event')}&time={time_s}"
    _check(account, str(auth.get("KEY")), time_s, text, str(auth.get("SIGN")), now_ns)


def check_login(account: SimulatedAccount | None, payload: Mapping[str, Any], now_ns: int) -> SimulatedAccount:
    """Rule 3."""
    parameters = json.dumps(payload["req_param"], separators=(",", ":")) if "req_param" in payload else ""
    time_s = str(payload.get("timestamp"))
    text = f"api\nspot.login\n{parameters}\n{time_s}"
    return _check(account, str(payload.get("api_key")), time_s, text, str(payload.get("signature")), now_ns)


def _check(
    account: SimulatedAccount | None, key: str, time_s: str, text: str, signature: str, now_ns: int
) -> SimulatedAccount:
    """Rule 4."""
    if account is None or key != account.key:
        raise Refusal("INVALID_KEY", "Invalid key provided", UNAUTHORIZED)
    if not _is_near(time_s, now_ns):
        message = f"gap between request Timestamp and server time exceeds {TOLERANCE_S}"
        raise Refusal("REQUEST_EXPIRED", message, UNAUTHORIZED)
    expected = hmac.new(account.secret.encode(), text.encode(), sha512).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise Refusal("INVALID_SIGNATURE", "Signature mismatch", UNAUTHORIZED)
    return account


def _is_near(time_s: str, now_ns: int) -> bool:
    try:
        apart_ns = Decimal(time_s) * SECOND - now_ns
    except InvalidOperation:
        return False
    return apart_ns.is_finite() and abs(apart_ns) <= TOLERANCE_S * SECOND
