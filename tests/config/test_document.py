"""YAML to plain values: scalars stay text, every value knows its place, and what would surprise is refused."""

import time

import pytest
import yaml

from aggregator.config import document as reading
from aggregator.config.document import MAX_BYTES, Document, read_document
from aggregator.domain.errors import ConfigurationRefused


def read(text: str | bytes) -> Document:
    return read_document(text.encode() if isinstance(text, str) else text, "a.yaml")


def told(text: str | bytes) -> list[str]:
    """The faults, whether the text could be read to its end or not."""
    try:
        document = read(text)
    except ConfigurationRefused as refused:
        return list(refused.faults)
    return document.lines(document.faults)


@pytest.mark.parametrize(
    "written", ["no", "on", "0x10", "1_000", "1:30", "010", "1e3", "0.10", ".inf", "2022-11-11", "=", "True", "Null"]
)
def test_a_scalar_stays_the_text_that_was_written(written):
    assert read(f"key: {written}").content == {"key": written}
    assert read(f"key: '{written}'").content == {"key": written}


def test_lists_and_mappings_are_plain_values():
    assert read("a: [x, {b: y}]\nc:\n  - - z\n  - 'null'").content == {"a": ("x", {"b": "y"}), "c": (("z",), "null")}


def test_every_value_and_every_key_knows_its_place():
    document = read("a:\n  - x: 1\n    yy: '2'\n  - {z: 3}\n")
    assert document.values[("a", 0, "yy")] == (3, 9)
    assert document.keys[("a", 0, "yy")] == (3, 5)
    assert document.values[("a", 1)] == (4, 5)
    assert document.keys[("a", 1, "z")] == (4, 6)
    assert ("a", 1) not in document.keys


def test_columns_count_characters_not_bytes():
    assert read("한국: {거래소: 부산}").values[("한국", "거래소")] == (1, 11)
    assert read(b"\xef\xbb\xbfkey: value").values[("key",)] == (1, 6)


def test_a_path_leads_to_its_value():
    document = read("a: [x, {b: y}]")
    assert document.at(("a", 1, "b")) == "y"
    assert document.at(("a", 7)) is document.at(("a", "b")) is document.at(("c", "d")) is None


def test_a_key_given_twice_names_both_places_and_the_first_counts():
    document = read("a: 1\nb:\n  c: 2\n  c: {d: [3]}\na: 4\n")
    assert document.lines(document.faults) == [
        "a.yaml:4:3: b.c: given a second time, the first is at 3:3; keep one",
        "a.yaml:5:1: a: given a second time, the first is at 1:1; keep one",
    ]
    assert document.content == {"a": "1", "b": {"c": "2"}}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: &x 1", "1:4: a: anchors are not read; remove the &name"),
        ("b: *x", "1:4: b: aliases are not read; write the value out"),
        ("*x", "1:1: aliases are not read; write the value out"),
        ("a: !!str 1", "1:4: a: tags are not read; remove the !tag"),
        ("a: !!python/object:os.system {}", "1:4: a: tags are not read; remove the !tag"),
        ("a: 1\n---\nb: 2", "2:1: a second document begins here; write one per file"),
        ("a:", "1:1: a: has no value; give one or remove the key"),
        ("a: {b: ~}", "1:5: a.b: has no value; give one or remove the key"),
        ("a: [x, null]", "1:8: a.1: has no value; give one or remove the key"),
        ("? [a, {b: c}]\n: d", "1:3: a key must be a plain word, followed by a colon"),
        ("? {a: b}\n: d", "1:3: a key must be a plain word, followed by a colon"),
        ("~: d", "1:1: a key must be a plain word, followed by a colon"),
        ("a: {~: d}", "1:5: a: a key must be a plain word, followed by a colon"),
        ("&x a: d", "1:1: a key must be a plain word, followed by a colon"),
        ("*x : d", "1:1: a key must be a plain word, followed by a colon"),
        ("", "1:1: the file is empty; write at least its required keys"),
        ("# only this", "1:1: the file is empty; write at least its required keys"),
        ("---\n...", "1:1: the file is empty; write at least its required keys"),
        ("a: b\x07", "1:5: the character U+0007 must not stand here; remove it"),
        ("a: b\nc: \u2028d", "2:4: the character U+2028 must not stand here; remove it"),
        (b"a: b\nc: \xff", "2:4: byte 0xff is not UTF-8; save the file as UTF-8"),
        (b"\xef\xbb\xbfa: \xff", "1:4: byte 0xff is not UTF-8; save the file as UTF-8"),
        (b"x" * (MAX_BYTES + 1), "1:1: 4000001 bytes; at most 4000000 are read"),
        (f"{'[' * 17}{']' * 17}", f"1:17: {'.'.join('0' * 16)}: nested deeper than 16 levels; no key is"),
        (f"a: 1\na: {'[' * 17}{']' * 17}", "2:20: nested deeper than 16 levels; no key is"),
    ],
)
def test_what_would_surprise_is_refused_where_it_stands(text, fault):
    assert f"a.yaml:{fault}" in told(text)
    assert len(told(text)) <= 2, "a key given twice, at most, beside it"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: [b", "1:6"),
        ("a: [b\n\n\n", "1:6"),
        ("a: b: c", "1:5"),
        ("a: 'b", "1:6"),
        ("a: b\n\tc: d", "2:1"),
        ("@", "1:1"),
    ],
)
def test_text_that_is_not_yaml_is_refused_where_it_stops_being_so(text, place):
    assert len(told(text)) == 1
    assert told(text)[0].startswith(f"a.yaml:{place}: not YAML: ")


def test_faults_before_the_end_of_what_is_yaml_are_told_with_it():
    assert [line.partition(": ")[0] for line in told("a: &x 1\nb: ]")] == ["a.yaml:1:4", "a.yaml:2:4"]


def test_endless_nesting_ends_early():
    begun = time.monotonic()
    assert "nested deeper" in told("[" * 1_000_000)[0]
    assert "nested deeper" in told("? " + "[" * 1_000_000)[0]
    assert time.monotonic() - begun < 5


def test_keys_that_would_break_a_line_are_shown_quoted():
    document = read('"a\\nb": {"": [1]}')
    assert reading.dotted(("a\nb", "", 0)) == "'a\\nb'.''.0"
    assert document.values[("a\nb", "", 0)] == (1, 15)


def test_without_libyaml_the_same_is_read(monkeypatch):
    texts = [
        "a:\n  - x: 1\n    yy: '2'\n  - {z: 3}\n",
        "a: &x 1",
        "~: d",
        "? [a]\n: d",
        "a: 1\na: 2",
        "한국: {거래소: 부산}",
    ]
    fast = [(read(text), told(text)) for text in texts]
    monkeypatch.setattr(reading, "_LOADER", yaml.SafeLoader)
    slow = [(read(text), told(text)) for text in texts]
    for (quick, faults), (plain, same) in zip(fast, slow, strict=True):
        assert (quick.content, quick.values, quick.keys, faults) == (plain.content, plain.values, plain.keys, same)
