"""Who may ask the simulated Binance for what: keys, clocks and signatures.

1. A key that is not known is refused before anything else is looked at.
2. A request is dated, in ms or µs. It is refused when its time is a second or more ahead of the venue's, or behind it
   by more than its window: 5 s, or up to 60 s if it says so.
3. The signature is the HMAC-SHA256, in hex, of all that was sent but the signature: the query and then the body, as
   they were sent; on the websocket API the parameters sorted by name.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from aggregator.domain.numbers import parse_decimal
from connectors.binance.simulator_rest import MS, Call, Refusal
from connectors.simulation.account import SimulatedAccount

US = 1000

INVALID_TIMESTAMP, INVALID_SIGNATURE = -1021, -1022
ILLEGAL, MANDATORY, UNREAD, BAD_WINDOW = -1100, -1102, -1104, -1131
BAD_KEY_FORMAT, REJECTED_KEY = -2014, -2015

WINDOW_MS, WINDOW_AT_MOST_MS = "5000", 60_000
AHEAD_AT_MOST_NS = 1000 * MS

_TIME = re.compile(r"\d{13}|\d{16}", re.ASCII)
_WINDOW = re.compile(r"\d{1,6}(\.\d{1,3})?", re.ASCII)
_SIGNATURE = re.compile(r"(^|&)signature=[^&]*")


class Parameters:
    """What was sent, by name; each may be asked for once, and none must be left over."""

    def __init__(self, sent: Mapping[str, str]) -> None:
        self._left = dict(sent)
        self._sent = len(sent)

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def take(self, name: str, default: str = "") -> str:
        return self._left.pop(name, "") or default

    def must(self, name: str) -> str:
        text = self.take(name)
        if not text:
            raise Refusal(MANDATORY, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
        return text

    def finish(self) -> None:
        if self._left:
            read = self._sent - len(self._left)
            text = f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{self._sent}'."
            raise Refusal(UNREAD, text)


def of_request(account: SimulatedAccount | None, call: Call) -> Parameters:
    """The parameters of a signed request. Raises Refusal."""
    texts = call.query_text, call.body.decode("utf-8", "replace")
    sent = {name: value for text in texts for name, value in parse_qsl(text, keep_blank_values=True)}
    headers = {name.lower(): value for name, value in call.headers.items()}
    payload = "".join(_SIGNATURE.sub("", text) for text in texts)
    return _checked(account, headers.get("x-mbx-apikey", ""), Parameters(sent), payload, call.now_ns)


def of_message(account: SimulatedAccount | None, sent: Mapping[str, str], now_ns: int) -> Parameters:
    """The parameters of a signed request on the websocket API. Raises Refusal."""
    parameters = Parameters(sent)
    payload = "&".join(f"{name}={sent[name]}" for name in sorted(sent) if name != "signature")
    return _checked(account, parameters.take("apiKey"), parameters, payload, now_ns)


def _checked(
    account: SimulatedAccount | None, key: str, parameters: Parameters, payload: str, now_ns: int
) -> Parameters:
    if not key:
        raise Refusal(BAD_KEY_FORMAT, "API-key format invalid.", 401)
    if account is None or key != account.key:  # rule 1
        raise Refusal(REJECTED_KEY, "Invalid API-key, IP, or permissions for action.", 401)
    time, told = parameters.must("timestamp"), parameters.must("signature")
    _check_time(time, parameters.take("recvWindow", WINDOW_MS), now_ns)
    right = hmac.digest(account.secret.encode(), payload.encode(), "sha256").hex()
    if not hmac.compare_digest(told.encode(), right.encode()):  # rule 3
        raise Refusal(INVALID_SIGNATURE, "Signature for this request is not valid.")
    return parameters


def _check_time(time: str, window: str, now_ns: int) -> None:
    """Rule 2."""
    for name, text, known in (("timestamp", time, _TIME), ("recvWindow", window, _WINDOW)):
        if not known.fullmatch(text):
            raise Refusal(ILLEGAL, f"Illegal characters found in parameter '{name}'.")
    window_ns = parse_decimal(window, 3) * US
    if window_ns > WINDOW_AT_MOST_MS * MS:
        raise Refusal(BAD_WINDOW, f"recvWindow must be less than {WINDOW_AT_MOST_MS}.")
    sent_ns = int(time) * (MS if len(time) == 13 else US)
    if sent_ns >= now_ns + AHEAD_AT_MOST_NS:
        raise Refusal(INVALID_TIMESTAMP, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now_ns - sent_ns > window_ns:
        raise Refusal(INVALID_TIMESTAMP, "Timestamp for this request is outside of the recvWindow.")
