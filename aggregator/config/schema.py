"""Documents to records: every fault of a file at once, each where it stands and with what would be right."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Generic, Self, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import ErrorDetails, core_schema

from aggregator.config.document import Document, Fault, KeyPath, kind, read_document, shown
from aggregator.domain.errors import ConfigurationRefused

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Section(BaseModel):
    """A mapping of a configuration file. Its fields are the keys; their docstrings are what an editor shows."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )


class Root(Section):
    """The whole of a file. It remembers where its values stood, for the faults that only its users can find."""

    _document: Document = PrivateAttr(default_factory=lambda: Document("configuration"))

    @property
    def file(self) -> str:
        return self._document.file

    def fault(self, path: KeyPath, text: str) -> str:
        """A line for ConfigurationRefused about the value at `path`, such as `("listings", 3, "tick")`."""
        return self._document.line(self._document.fault(path, text))

    def read_from(self, document: Document) -> Self:
        self._document = document
        return self


R = TypeVar("R", bound=Root)
Relations: TypeAlias = Callable[[Document], Iterable[Fault]]
"""What must hold between the values of a file. They look at the document, not at the record, so that they are told
beside the faults that keep it from becoming one."""


@dataclass(frozen=True, slots=True)
class Reading(Generic[R]):
    """A file that was read: its record when it is sound, or its faults."""

    file: str
    document: Document | None = None
    record: R | None = None
    faults: tuple[str, ...] = ()

    def sound(self) -> R:
        if self.record is None:
            raise ConfigurationRefused(self.faults)
        return self.record


def read_file(path: Path, model: type[R], relations: Relations) -> Reading[R]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        return Reading(str(path), faults=(unreadable(path, error),))
    return read_text(raw, str(path), model, relations)


def read_text(raw: bytes, file: str, model: type[R], relations: Relations) -> Reading[R]:
    try:
        document = read_document(raw, file)
    except ConfigurationRefused as refused:
        return Reading(file, faults=refused.faults)
    record, errors = _validated(document, model)
    unknown, meant = _unknown_keys(document, model, errors)
    wrong = [_fault(document, error, _schema_at(model, error["loc"])) for error in errors if not _is_unknown(error)]
    # One fault each is enough for a value that the document itself refused, for a key that was only misspelt, and
    # for a relation of what is wrong by itself.
    settled = document.faulted | meant
    wrong = [fault for fault in wrong if fault.path not in settled]
    settled |= {fault.path for fault in wrong}
    unrelated = [fault for fault in relations(document) if fault.path not in settled]
    faults = [*document.faults, *unknown, *wrong, *unrelated]
    if record is None or faults:
        return Reading(file, document, faults=tuple(document.lines(faults)))
    return Reading(file, document, record.read_from(document))


def unreadable(path: Path, error: OSError) -> str:
    reason = error.strerror or type(error).__name__
    return f"{path}:1:1: cannot be read: {reason}; name a YAML file that is there"


def json_schema(model: type[Root]) -> dict[str, Any]:
    return {"$schema": DIALECT, **_schema(model)}


class _EditorSchema(GenerateJsonSchema):
    """An optional key may be left out, but not be given nothing."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default", ...) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)


@cache
def _schema(model: type[Root]) -> dict[str, Any]:
    return model.model_json_schema(schema_generator=_EditorSchema)


def _schema_at(model: type[Root], path: KeyPath) -> dict[str, Any]:
    """The part of the schema that rules the value at a path; empty where none does."""
    root = _schema(model)
    part: dict[str, Any] = root
    for step in path:
        if isinstance(step, int):
            part = part.get("items", {})
        else:
            part = part.get("properties", {}).get(step) or next(iter(part.get("patternProperties", {}).values()), {})
        if reference := part.get("$ref"):
            part = root["$defs"][reference.rpartition("/")[2]]
    return part


def _validated(document: Document, model: type[R]) -> tuple[R | None, list[ErrorDetails]]:
    try:
        return model.model_validate(document.content), []
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False)
        # Pydantic also calls a list too short for the items that it refused.
        return None, [error for error in errors if error["type"] != "too_short" or not error["input"]]


def _is_unknown(error: ErrorDetails) -> bool:
    return error["type"] == "extra_forbidden"


def _unknown_keys(
    document: Document, model: type[Root], errors: list[ErrorDetails]
) -> tuple[list[Fault], set[KeyPath]]:
    """Their faults, and the keys that they were probably meant to be."""
    faults: list[Fault] = []
    meant: set[KeyPath] = set()
    for path in (error["loc"] for error in errors if _is_unknown(error)):
        known = list(_schema_at(model, path[:-1]).get("properties", {}))
        near = get_close_matches(str(path[-1]).lower().replace("-", "_"), known, n=1, cutoff=0.7)
        meant |= {(*path[:-1], name) for name in near} - document.values.keys()
        advice = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
        faults.append(document.key_fault(path, f"unknown key; {advice}"))
    return faults, meant


def _fault(document: Document, error: ErrorDetails, rule: dict[str, Any]) -> Fault:
    path, found = error["loc"], error["input"]
    if path and path[-1] == "[key]":
        return document.key_fault(path[:-1], str(error["ctx"]["error"]))
    match error["type"]:
        case "value_error":
            # A list of one may be written as that one alone, which then has no place in a list.
            return document.fault(path if path in document.values else path[:-1], str(error["ctx"]["error"]))
        case "missing":
            return missing(document, path, *rule.get("properties", ()), example=_example(rule))
        case "literal_error":
            given = shown(found) if isinstance(found, str) else kind(found)
            choices = rule.get("enum") or [rule["const"]]
            return document.fault(path, f"{given} is none of: {', '.join(choices)}")
        case "model_type" | "dict_type":
            known = f" of {', '.join(rule['properties'])}" if "properties" in rule else ""
            return document.fault(path, f"{kind(found)} where a mapping{known} belongs")
        case "tuple_type":
            return document.fault(path, f"{kind(found)} where a list belongs; write [a, b], or one `- a` to a line")
        case "too_short":
            return document.fault(path, "an empty list; name at least one")
        case _:
            return document.fault(path, error["msg"])


def missing(document: Document, path: KeyPath, *keys: str, example: str = "") -> Fault:
    """A key that is not there, told at the key of the mapping that lacks it. `keys` are what it holds itself."""
    advice = f"it holds {', '.join(keys)}" if keys else f"for example `{path[-1]}: {example}`"
    return document.key_fault(path, f"missing; {advice}")


def _example(rule: dict[str, Any]) -> str:
    example = next(iter(rule.get("examples") or rule.get("enum") or ()), "...")
    return f"[{', '.join(example)}]" if isinstance(example, list) else str(example)
