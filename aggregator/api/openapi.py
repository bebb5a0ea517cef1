"""The OpenAPI 3.1 document, made of the table of routes and of the declarations in `schema`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from aggregator.api import schema
from aggregator.api.codes import MEANINGS
from aggregator.api.problems import PROBLEM_MEDIA, Code
from aggregator.api.routes import JSON_MEDIA, WATCH, Answer, Route
from aggregator.api.schema import ProblemDocument

Document = dict[str, Any]

VERSION = "1"
"""Of the API: that of its paths."""

_REFERENCE = "#/components/schemas/{name}"

SIGNATURE: Mapping[str, tuple[str, str]] = {
    "key": ("X-API-Key", "The name of the key."),
    "timestamp": ("X-Timestamp-Ns", "The sender's time, ns since the Unix epoch. At most 5 s off."),
    "signature": (
        "X-Signature",
        "The hex HMAC-SHA256, by the key's secret, over that time, the method, the path with its query as it is sent, "
        "and the body, each ended by a newline.",
    ),
}
"""The headers of a signed request, by the name of their security scheme."""

_ABOUT = (
    "Decimals are strings, times are ns since the Unix epoch, symbols in paths are written `BTC-USDT`. Errors are RFC "
    "9457 problem documents with a stable `code`; `x-codes` says what each of them means and what to do. Answers may "
    "have further members in later versions. A client order id that was used before never makes a second order, so "
    "that placing an order may be repeated."
)


def document(routes: Iterable[Route]) -> Document:
    """The document of these routes."""
    described = list(routes)
    kinds = dict.fromkeys(kind for route in described for kind in _kinds(route))
    _, schemas = msgspec.json.schema_components([*kinds, ProblemDocument], ref_template=_REFERENCE)
    paths: dict[str, Document] = {}
    for route in described:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Busan liquidity aggregator", "version": VERSION, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": group} for group in dict.fromkeys(route.group for route in described)],
        "paths": paths,
        "components": {"schemas": _completed(schemas), "securitySchemes": _schemes()},
        "x-codes": {code.value: MEANINGS[code]._asdict() for code in Code},
    }


def _kinds(route: Route) -> Iterable[type]:
    if route.body is not None:
        yield route.body
    yield from (answer.kind for answer in route.answers.values() if answer.kind is not None)


def _operation(route: Route) -> Document:
    told: Document = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.group],
        "parameters": [*_places(route), *_query(route)],
        "responses": _responses(route),
    }
    if route.body is not None:
        told["requestBody"] = {"required": True, "content": {JSON_MEDIA: {"schema": _reference(route.body)}}}
    if route.needs_key:
        scopes = list(route.scopes)
        told["security"] = [dict.fromkeys(SIGNATURE, scopes)]
        told["description"] = _whom(route)
    return told


def _whom(route: Route) -> str:
    if not route.scopes:
        return "For every key."
    others = "; for everyone where the service lets anyone see the market" if route.scopes == WATCH else ""
    return f"For keys with scope {' or '.join(route.scopes)}{others}."


def _places(route: Route) -> Iterable[Document]:
    for name, kind in route.places.items():
        (shape,), _ = msgspec.json.schema_components([kind])
        yield {"name": name, "in": "path", "required": True, "schema": shape}


def _query(route: Route) -> Iterable[Document]:
    if route.query is None:
        return
    _, schemas = msgspec.json.schema_components([route.query], ref_template=_REFERENCE)
    declared = schemas[route.query.__name__]
    for name, member in declared["properties"].items():
        shape = _without_null(member)
        about = shape.pop("description", "")
        reference = shape.pop("$ref", "").rpartition("/")[2]
        if reference:
            shape |= schemas[reference]
        yield {
            "name": name,
            "in": "query",
            "required": name in declared["required"],
            "description": about,
            "schema": shape,
        }


def _without_null(shape: Document) -> Document:
    """In a query nothing is null: what is not there is left out."""
    others = [part for part in shape.get("anyOf", ()) if part != {"type": "null"}]
    return dict(others[0]) if others else dict(shape)


def _responses(route: Route) -> Document:
    responses = {str(status): _response(answer) for status, answer in route.answers.items()}
    by_status: dict[int, list[Code]] = {}
    for code in dict.fromkeys(route.all_codes):
        for status in MEANINGS[code].statuses:
            by_status.setdefault(status, []).append(code)
    for status, codes in sorted(by_status.items()):
        _add_problem(responses.setdefault(str(status), {"description": "", "content": {}}), codes)
    return responses


def _response(answer: Answer) -> Document:
    if not answer.media:
        return {"description": answer.meaning}
    plain = {"type": "object"} if answer.media == JSON_MEDIA else {"type": "string"}
    shape = plain if answer.kind is None else _reference(answer.kind)
    return {"description": answer.meaning, "content": {answer.media: {"schema": shape}}}


def _add_problem(response: Document, codes: list[Code]) -> None:
    causes = [f"`{code.value}`: {MEANINGS[code].cause}" for code in codes]
    response["description"] = " ".join(filter(None, [response["description"], *causes]))
    narrowed = {"properties": {"code": {"enum": [code.value for code in codes]}}}
    response["content"][PROBLEM_MEDIA] = {"schema": {"allOf": [_reference(ProblemDocument), narrowed]}}


def _reference(kind: type) -> Document:
    return {"$ref": _REFERENCE.format(name=kind.__name__)}


def _completed(schemas: Document) -> Document:
    """Answers may come to have further members; what members of a request have to do with one another is added."""
    for name, shape in schemas.items():
        kind = getattr(schema, name, None)
        if isinstance(kind, type) and issubclass(kind, schema.Answer):
            del shape["additionalProperties"]
        elif kind in schema.RELATIONS:
            shape.update(schema.RELATIONS[kind])
    return schemas


def _schemes() -> Document:
    return {
        name: {"type": "apiKey", "in": "header", "name": header, "description": about}
        for name, (header, about) in SIGNATURE.items()
    }
