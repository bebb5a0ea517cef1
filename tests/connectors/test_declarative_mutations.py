"""However a sound venue file is spoilt, it is refused with faults that say where and what, or what it says holds."""

import re
import string
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aggregator.config.document import read_document
from aggregator.config.venues import venue_from
from aggregator.domain.errors import ConfigurationRefused
from aggregator.domain.instrument import Instruments
from connectors.contract import Reply
from connectors.declarative import MarketData
from connectors.session import recorded_session
from tests.config.declared_texts import CHAINED, DECLARED, PICTURES
from tests.paths import REPOSITORY
from tests.twins.examples import examples

COMMITTED = ("upbit", "bithumb", "probit", "gateio_v3")
SOUND = {
    **{f"{name}.yaml": (REPOSITORY / "config/venues" / f"{name}.yaml").read_text() for name in COMMITTED},
    "binance.yaml": (Path(__file__).with_name("declared") / "binance.yaml").read_text(),
    "told.yaml": DECLARED,
    "seen.yaml": PICTURES,
    "linked.yaml": CHAINED,
}
FAULT = re.compile(r"(?P<file>[a-z0-9_.]+):(?P<line>\d+):(?P<column>\d+): (?P<text>\S.*)")
TOKEN = re.compile(r"[^\s,{}\[\]]+")
ODD = [
    "",
    "~",
    "yes",
    "true",
    "none",
    "0",
    "1e400",
    "{}",
    "[]",
    "[a",
    "'",
    "&a b",
    "<x>",
    "<symbol>",
    "<each>",
    "a.0",
    "0",
]
ODD += [
    "a.b.c",
    "..",
    "___",
    "off",
    "1",
    "whole",
    "changes",
    "range",
    "pictures",
    "previous",
    "nowhere",
    "한국",
    "\x00",
]
text = st.sampled_from(ODD) | st.text(string.printable, max_size=8)

FRAMES = [
    b"{}",
    b"[]",
    b"null",
    b'"PONG"',
    b"pong",
    b'{"ty":"orderbook","cd":"KRW-BTC","tms":1,"obu":[{"ap":2,"bp":1,"as":1,"bs":1}]}',
    b'{"channel":"marketdata","market_id":"A-B","order_books":[],"recent_trades":[],"reset":true}',
    b'{"method":"depth.update","params":[true,{"asks":[["3","1"]],"bids":[["2","1"]]},"A_B"],"id":null}',
    b'{"type":"orderbookdepth","content":{"list":[{"symbol":"A_B","orderType":"ask","price":"1","quantity":"0"}]}}',
    b'{"stream":"x","data":{"e":"depthUpdate","s":"AB","E":1,"U":1,"u":2,"b":[],"a":[]}}',
    b'{"result":null,"id":1}',
]


def spoken(raw: bytes, file: str) -> None:
    """Refused with sound faults, or made into a connector that neither raises nor says what is no event."""
    try:
        venue = venue_from(raw, file)
    except ConfigurationRefused as refused:
        assert refused.faults
        lines = re.split("\r\n|\r|\n", raw.decode("utf-8", "replace"))
        for fault in refused.faults:
            told = FAULT.fullmatch(fault)
            assert told, fault
            assert told["file"] == file
            assert 1 <= int(told["line"]) <= len(lines), fault
            assert 1 <= int(told["column"]) <= len(lines[int(told["line"]) - 1]) + 1, fault
        return
    if venue.declared is None:
        return
    session = recorded_session(MarketData(venue.declared), venue, Instruments())
    session.opened(1)
    for frame in FRAMES:
        session.received(frame, 2)
    for path in ("/depth?symbol=a", "/api/v3/depth?symbol=AB", "/markets", "/v1/market/all"):
        session.fetched(Reply(path, 200, b'{"data":[]}'), 3)
        session.fetched(Reply(path, 500, b""), 3)
    session.woken(10**12)
    session.take_requests()


def places(file: str) -> list[tuple[int, int]]:
    """Where each key and each scalar begins and ends."""
    document = read_document(SOUND[file].encode(), file)
    starts = [0]
    for line in SOUND[file].splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = {starts[at.line - 1] + at.column - 1 for at in [*document.keys.values(), *document.values.values()]}
    tokens = (TOKEN.match(SOUND[file], offset) for offset in sorted(found))
    return [(token.start(), token.end()) for token in tokens if token]


PLACES = [(file, *place) for file in SOUND for place in places(file)]
KEYS = [(file, path, at) for file in SOUND for path, at in read_document(SOUND[file].encode(), file).keys.items()]


@pytest.mark.parametrize("file", SOUND)
def test_each_sound_file_is_spoken(file: str) -> None:
    assert venue_from(SOUND[file].encode(), file).declared is not None
    spoken(SOUND[file].encode(), file)


@given(st.sampled_from(PLACES), text)
@examples(300)
def test_one_key_or_scalar_replaced(place: tuple[str, int, int], replacement: str) -> None:
    file, start, end = place
    spoken((SOUND[file][:start] + replacement + SOUND[file][end:]).encode("utf-8", "surrogatepass"), file)


@given(st.sampled_from(PLACES), st.sampled_from(PLACES))
@examples(300)
def test_one_key_or_scalar_replaced_by_another(place: tuple[str, int, int], other: tuple[str, int, int]) -> None:
    assume(place != other)
    file, start, end = place
    source, begun, ended = other
    spoken((SOUND[file][:start] + SOUND[source][begun:ended] + SOUND[file][end:]).encode(), file)


@given(st.sampled_from(sorted(SOUND)), st.data())
@examples(200)
def test_one_line_removed_or_repeated(file: str, data: st.DataObject) -> None:
    lines = SOUND[file].splitlines(keepends=True)
    index = data.draw(st.integers(0, len(lines) - 1))
    spoken("".join(lines[:index] + lines[index + 1 :]).encode(), file)
    spoken("".join(lines[: index + 1] + lines[index:]).encode(), file)


@given(st.sampled_from(KEYS), st.sampled_from("qzx_"))
@examples(200)
def test_one_key_misspelt_is_told_by_its_line_its_name_and_what_is_known(
    key: tuple[str, tuple[str | int, ...], object], letter: str
) -> None:
    file, path, _ = key
    name = str(path[-1])
    assume(path[-2:-1] not in (("when",), ("tradable",)))
    document = read_document(SOUND[file].encode(), file)
    at = document.keys[path]
    lines = SOUND[file].splitlines(keepends=True)
    line = lines[at.line - 1]
    assume(line[at.column - 1 :].startswith(f"{name}:"))
    lines[at.line - 1] = line[: at.column - 1] + letter + line[at.column - 1 :]
    with pytest.raises(ConfigurationRefused) as refused:
        venue_from("".join(lines).encode(), file)
    (unknown,) = [fault for fault in refused.value.faults if "unknown key" in fault]
    where = ".".join(map(str, (*path[:-1], f"{letter}{name}")))
    assert unknown.startswith(f"{file}:{at.line}:{at.column}: {where}: unknown key; ")
    assert re.search(rf"did you mean {name}\?|known here: ", unknown)
