"""HTX's signatures: of REST requests (version 2), and of the login to its private sockets (version 2.1).

Rules, after section "Signature" of the venue's documentation:

 1. What is signed are four lines: the method, the host that is really called in lower case, the path, the parameters.
 2. Parameters are percent-encoded with hexadecimal digits in capitals, and sorted by their bytes: capitals come first.
 3. The four of authentication stand in the query whatever the method. What a GET asks for is signed with them, the
    body of a POST is not.
 4. The time is UTC in whole seconds without a zone, and may be five minutes off.
 5. The signature is HMAC-SHA256 in base64. In a query it is percent-encoded; in a socket's message it is not.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from connectors.trading import Credentials

SECOND = 1_000_000_000


def timestamp(now_ns: int) -> str:
    """Rule 4."""
    return datetime.fromtimestamp(now_ns // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def sorted_query(parameters: Mapping[str, str]) -> str:
    """Rule 2."""
    return "&".join(f"{_encoded(name)}={_encoded(parameters[name])}" for name in sorted(parameters))


def signature(secret: str, method: str, host: str, path: str, query: str) -> str:
    """Rules 1 and 5: `query` is sorted and encoded already; what is returned is not encoded."""
    text = "\n".join((method, host.lower(), path, query))
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), hashlib.sha256)).decode()


def signed_path(
    credentials: Credentials, method: str, host: str, path: str, parameters: Mapping[str, str], now_ns: int
) -> str:
    """The path with its whole query. `parameters` are those of a GET (rule 3)."""
    query = sorted_query(
        {
            "AccessKeyId": credentials.key,
            "SignatureMethod": "HmacSHA256",
            "SignatureVersion": "2",
            "Timestamp": timestamp(now_ns),
            **parameters,
        }
    )
    return f"{path}?{query}&Signature={_encoded(signature(credentials.secret, method, host, path, query))}"


def login(credentials: Credentials, host: str, path: str, now_ns: int) -> dict[str, str]:
    """The parameters of a socket's `auth` request. `authType` is not signed."""
    signed = {
        "accessKey": credentials.key,
        "signatureMethod": "HmacSHA256",
        "signatureVersion": "2.1",
        "timestamp": timestamp(now_ns),
    }
    text = signature(credentials.secret, "GET", host, path, sorted_query(signed))
    return {"authType": "api", **signed, "signature": text}


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")
