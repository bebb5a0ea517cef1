"""The JSON Schema from which an editor completes: it describes every key, and it and the readers agree."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from aggregator.config.document import Document, read_document
from aggregator.config.files import check_file, json_schemas, kind_of
from tests.config.declared_texts import CHAINED, DECLARED, PICTURES
from tests.config.texts import DEFUNCT, KEY_FILE, LISTINGS, SETTINGS, VENUE
from tests.paths import REPOSITORY

SCHEMAS: dict[str, dict[str, Any]] = {str(kind): schema for kind, schema in json_schemas().items()}
COMMITTED = sorted((REPOSITORY / "config").rglob("*.yaml"))


def mappings(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield schema["title"], schema
    yield from schema["$defs"].items()


KEYS = [
    pytest.param(rule, id=f"{kind}: {title}.{key}")
    for kind, schema in SCHEMAS.items()
    for title, mapping in mappings(schema)
    for key, rule in mapping["properties"].items()
]


def misfits(value: object, rule: dict[str, Any], root: dict[str, Any], where: str = "") -> list[str]:
    """As much of JSON Schema as ours uses; an unknown word in a rule is a misfit itself."""
    known = {"$ref", "anyOf", "type", "properties", "required", "additionalProperties", "items", "minItems", "pattern"}
    known |= {"patternProperties", "propertyNames", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "format"}
    known |= {"title", "description", "examples", "default", "$schema", "$defs"}
    found = [f"{where}: {word} is not checked here" for word in rule.keys() - known]
    if reference := rule.get("$ref"):
        return found + misfits(value, root["$defs"][reference.rpartition("/")[2]], root, where)
    if choices := rule.get("anyOf"):
        tried = [misfits(value, choice, root, where) for choice in choices]
        return found + ([] if [] in tried else [misfit for each in tried for misfit in each])
    types: dict[str, Any] = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
    expected = types.get(rule.get("type", ""), (int, float) if rule.get("type") == "number" else object)
    if not isinstance(value, expected) or (isinstance(value, bool) and rule.get("type") in {"integer", "number"}):
        return [*found, f"{where}: {value!r} is no {rule['type']}"]
    if "enum" in rule and value not in rule["enum"]:
        found.append(f"{where}: {value!r} is none of {rule['enum']}")
    if "const" in rule and value != rule["const"]:
        found.append(f"{where}: {value!r} is not {rule['const']}")
    if isinstance(value, str) and not re.search(rule.get("pattern", ""), value):
        found.append(f"{where}: {value!r} does not match {rule['pattern']}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        above, below = value >= rule.get("minimum", value), value <= rule.get("maximum", value)
        if not (above and below and value > rule.get("exclusiveMinimum", value - 1)):
            found.append(f"{where}: {value!r} is out of bounds")
    if isinstance(value, list):
        if len(value) < rule.get("minItems", 0):
            found.append(f"{where}: too short")
        for index, item in enumerate(value):
            found += misfits(item, rule.get("items", {}), root, f"{where}.{index}")
    if isinstance(value, dict):
        found += [f"{where}.{key}: missing" for key in rule.get("required", ()) if key not in value]
        for key, item in value.items():
            found += misfits(key, rule.get("propertyNames", {}), root, f"{where}.{key}")
            parts = [part for pattern, part in rule.get("patternProperties", {}).items() if re.search(pattern, key)]
            part = rule.get("properties", {}).get(key, parts[0] if parts else None)
            found += misfits(item, part, root, f"{where}.{key}") if part else [f"{where}.{key}: unknown"]
    return found


def as_an_editor_reads(text: str) -> Any:
    """Booleans and numbers as YAML 1.2 has them, days and `off` as text."""

    class Loader(yaml.SafeLoader):
        pass

    resolvers = yaml.SafeLoader.yaml_implicit_resolvers
    kept = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:null"}
    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in rules if tag in kept] for first, rules in resolvers.items()
    }
    Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), list("tf"))
    return yaml.load(text, Loader=Loader)


def schema_of(file: Path) -> dict[str, Any]:
    return SCHEMAS[kind_of(file, read_document(file.read_bytes(), str(file)))]


@pytest.mark.parametrize("rule", KEYS)
def test_every_key_is_described_in_a_sentence(rule):
    assert rule.get("title") or "$ref" in rule
    assert re.fullmatch(r"[A-Z`][^|]{8,}[.]", rule["description"], re.DOTALL)


def test_every_mapping_is_described_and_closed():
    for schema in SCHEMAS.values():
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        for title, mapping in mappings(schema):
            assert mapping["description"].endswith("."), title
            assert mapping["additionalProperties"] is False, title


@pytest.mark.parametrize(
    ("text", "of"),
    [(VENUE, "venue"), (DEFUNCT, "venue"), (SETTINGS, "aggregator"), (LISTINGS, "listings"), (KEY_FILE, "keys")]
    + [(text, "venue") for text in (DECLARED, PICTURES, CHAINED)],
)
def test_the_schema_accepts_what_the_readers_accept(text, of):
    assert misfits(as_an_editor_reads(text), SCHEMAS[of], SCHEMAS[of]) == []


@pytest.mark.parametrize("file", COMMITTED, ids=lambda file: file.name)
def test_the_schema_accepts_the_committed_files(file):
    assert misfits(as_an_editor_reads(file.read_text()), schema_of(file), schema_of(file)) == []


@pytest.mark.parametrize(
    ("sound", "spoilt"),
    [
        ("venue: example", "venue: Example"),
        ("name: Example", "nmae: Example"),
        ("status: active", "status: actve"),
        ("maker: 0.0008", "maker: 0.2"),
        ("maker: 0.0008", "maker: 0.08%"),
        ("instrument: BTC/USDT", "instrument: BTCUSDT"),
        ("quotes: [USDT, USDC]", "quotes: all"),
        ("silent: 500ms", "silent: 500"),
        ("display: false", "display: no"),
        ("messages_per_second: 5", "messages_per_second: 0"),
        ("key: EXAMPLE_API_KEY", "key:"),
    ],
)
def test_the_schema_refuses_what_the_readers_refuse(sound, spoilt):
    assert VENUE.count(sound) == 1
    assert misfits(as_an_editor_reads(VENUE.replace(sound, spoilt)), SCHEMAS["venue"], SCHEMAS["venue"])


def test_every_default_and_every_example_in_the_schema_is_read(tmp_path):
    """Each stands in the smallest file that can hold it."""
    for of, schema in SCHEMAS.items():
        for path, rule in leaves(schema, schema):
            for value in [*rule.get("examples", ()), *([rule["default"]] if "default" in rule else ())]:
                file = tmp_path / {"venue": "gateio.yaml", "listings": "listings.yaml"}.get(of, "a.yaml")
                text = value
                for key in reversed(path):
                    text = [text] if key == 0 else {key: text}
                file.write_text(yaml.safe_dump(text))
                faults = [line for line in check_file(file) if f": {'.'.join(map(str, path))}: " in line]
                assert [line for line in faults if "nothing is at" not in line] == [], (path, value)


def leaves(rule: dict[str, Any], root: dict[str, Any], path: tuple[str | int, ...] = ()) -> Iterator[Any]:
    if reference := rule.get("$ref"):
        rule = root["$defs"][reference.rpartition("/")[2]]
    if "properties" in rule:
        for key, part in rule["properties"].items():
            yield from leaves(part, root, (*path, key))
    elif "$ref" in rule.get("items", {}):
        yield from leaves(rule["items"], root, (*path, 0))
    elif "patternProperties" in rule:
        (name,) = rule["propertyNames"]["examples"]
        for part in rule["patternProperties"].values():
            yield from leaves(part, root, (*path, name))
    else:
        yield path, rule


KEY_IN_A_COMMENT = re.compile(r"`(\w+)(?::[^`]*)?`|^# ?\s*([a-z_]+):(?:$| )", re.MULTILINE)


@pytest.mark.parametrize("file", COMMITTED, ids=lambda file: file.name)
def test_every_key_that_a_comment_speaks_of_exists(file):
    known = {key for schema in SCHEMAS.values() for _, mapping in mappings(schema) for key in mapping["properties"]}
    comments = "\n".join(re.findall("#.*", file.read_text()))
    spoken = {first or second for first, second in KEY_IN_A_COMMENT.findall(comments)}
    channels = {"depth"}
    assert spoken <= known | channels


def test_all_keys_are_read_by_some_committed_or_tested_file():
    texts = (VENUE, DEFUNCT, DECLARED, PICTURES, CHAINED, SETTINGS, LISTINGS, KEY_FILE)
    documents: list[Document] = [read_document(text.encode(), "") for text in texts]
    used = {path[-1] for document in documents for path in document.keys}
    for schema in SCHEMAS.values():
        for title, mapping in mappings(schema):
            assert mapping["properties"].keys() <= used, title
