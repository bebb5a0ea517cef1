"""However a sound file is spoilt, it is either still sound or refused with faults that lie inside it."""

import re
import string

from hypothesis import assume, example, given
from hypothesis import strategies as st

from aggregator.config.document import read_document
from aggregator.config.venues import VenueSettings, venue_from
from aggregator.domain.errors import ConfigurationRefused
from tests.config.texts import DEFUNCT, VENUE

SOUND = {"example.yaml": VENUE, "gone.yaml": DEFUNCT}
FAULT = re.compile(r"(?P<file>[a-z.]+):(?P<line>\d+):(?P<column>\d+): (?P<text>\S.*)")
TOKEN = re.compile(r"[^\s,{}\[\]]+")

# fmt: off
ODD = [
    "", "~", "null", "yes", "off", "0x10", "010", "1_000", "1:30", ".nan", "-1", "1e400", "1e-400", "9" * 70, "- a",
    "{}", "[]", "[a", "{a: b}", "'", '"\\0"', '"\\ud800"', "&a b", "*a", "!!int 3", "<<: {}", "? a", "---", "...", "%",
    "|", "|\n    a", "#", "\t", "\r", "\u2028", "\x00", "\ufeff", "::", "@", "`", "[" * 40, "한국", "\U0001f40b", "{x}",
]
# fmt: on
text = st.sampled_from(ODD) | st.text(string.printable, max_size=12) | st.text(max_size=12)


def places(file: str) -> list[tuple[int, int]]:
    """Where each key and each scalar of a sound file begins and ends, as offsets into its text."""
    document = read_document(SOUND[file].encode(), file)
    starts = [0]
    for line in SOUND[file].splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = {starts[at.line - 1] + at.column - 1 for at in [*document.keys.values(), *document.values.values()]}
    tokens = (TOKEN.match(SOUND[file], offset) for offset in sorted(found))
    return [(token.start(), token.end()) for token in tokens if token]


PLACES = [(file, *place) for file in SOUND for place in places(file)]


def check(raw: bytes, file: str) -> None:
    try:
        assert isinstance(venue_from(raw, file), VenueSettings)
    except ConfigurationRefused as refused:
        assert refused.faults
        lines = re.split("\r\n|\r|\n", raw.decode("utf-8", "replace"))
        for fault in refused.faults:
            told = FAULT.fullmatch(fault)
            assert told, fault
            assert told["file"] == file
            assert 1 <= int(told["line"]) <= len(lines), fault
            assert 1 <= int(told["column"]) <= len(lines[int(told["line"]) - 1]) + 1, fault


@given(st.sampled_from(PLACES), text)
def test_one_key_or_scalar_replaced(place, replacement):
    file, start, end = place
    check((SOUND[file][:start] + replacement + SOUND[file][end:]).encode("utf-8", "surrogatepass"), file)


@given(st.sampled_from(PLACES), st.sampled_from(PLACES))
def test_one_key_or_scalar_replaced_by_another_of_the_file(place, other):
    assume(place != other)
    file, start, end = place
    source, begun, ended = other
    check((SOUND[file][:start] + SOUND[source][begun:ended] + SOUND[file][end:]).encode(), file)


@given(st.sampled_from(sorted(SOUND)), st.data())
def test_one_line_removed_or_repeated(file, data):
    lines = SOUND[file].splitlines(keepends=True)
    index = data.draw(st.integers(0, len(lines) - 1))
    check("".join(lines[:index] + lines[index + 1 :]).encode(), file)
    check("".join(lines[: index + 1] + lines[index:]).encode(), file)


@given(st.binary(max_size=200))
@example(b"")
@example(b"\xef\xbb\xbf")
@example(b"\xef\xbb\xbf\xff")
def test_any_bytes_at_all(raw):
    check(raw, "example.yaml")


@given(st.text(string.ascii_letters + string.digits + " \n:-,[]{}#&*!|>'\"%@`~?.", max_size=200))
def test_any_text_of_yaml_characters(written):
    check(written.encode(), "example.yaml")
