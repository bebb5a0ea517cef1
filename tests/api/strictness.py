"""Proof that an answer is what the table of routes says of it: neither a member more nor one less, each of its type."""

import re

import msgspec
from yarl import URL

from aggregator.api.codes import MEANINGS
from aggregator.api.problems import Code
from aggregator.api.routes import Route
from aggregator.api.schema import ProblemDocument
from aggregator.api.server import Server


def prove(server: Server, method: str, target: str, status: int, media: str, body: bytes) -> None:
    """Raises AssertionError or ValidationError for what is not as it is described."""
    route = described(server, method, target)
    if media == "application/problem+json":
        problem = msgspec.json.decode(body, type=ProblemDocument)
        code = Code(problem.code)
        assert problem.status == status
        assert status in MEANINGS[code].statuses, f"{code} was answered with {status}"
        assert route is None or code in route.all_codes, f"{method} {target}: {code} is not among its codes"
        return
    assert route is not None, f"{method} {target} is served, and not described"
    answer = route.answers[status]
    assert media == answer.media
    if answer.kind is not None:
        msgspec.json.decode(body, type=answer.kind)


def described(server: Server, method: str, target: str) -> Route | None:
    path = URL(target, encoded=True).raw_path
    for route in server.described:
        if route.method == method and re.fullmatch(re.sub(r"{\w+}", "[^/]+", route.path), path):
            return route
    return None
