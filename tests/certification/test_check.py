"""`venue check`: its card, where it is kept, recordings in place of a simulator, and what may be routed to."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aggregator.assembly import certificates, recorded_trials
from aggregator.cli import main
from aggregator.config.files import load_configuration
from aggregator.config.venues import load_venue
from aggregator.domain.book import Levels
from aggregator.domain.certificate import Check, Outcome, ScoreCard, score_card
from aggregator.domain.errors import DocumentRefused
from aggregator.domain.events import BookDelta, BookLost, BookSnapshot, FrameRejected, ListingsRead
from aggregator.domain.instrument import Instrument, Listing
from aggregator.service.captures import CaptureWriter, Kind, Record
from connectors import certification
from connectors.certification import TRIALS
from tests.paths import REPOSITORY

VENUES = REPOSITORY / "config" / "venues"
BTC = Instrument.of("BTC", "USDT")
PASSED = Check("start", "starts", "live", Outcome.PASSED, "live")
FAILED = Check("gap", "loses a frame", "out", Outcome.FAILED, "unnoticed")


class Numbered:
    """A made-up venue: each frame is the number of an update of one book. What it may get wrong is said."""

    def __init__(self, *, ignores_gaps: bool = False, ignores_noise: bool = False) -> None:
        self._ignores_gaps = ignores_gaps
        self._ignores_noise = ignores_noise
        self._at: int | None = None

    def opened(self, now_ns: int) -> list[Any]:
        listing = Listing("made_up", "BTCUSDT", BTC)
        side = Levels([BTC.price("100")], [BTC.quantity("1")]), Levels([BTC.price("200")], [BTC.quantity("1")])
        self._at = 0
        return [ListingsRead("made_up", now_ns, [listing]), BookSnapshot("made_up", BTC.name, now_ns, now_ns, *side)]

    def received(self, frame: str | bytes, now_ns: int) -> Sequence[Any]:
        if not str(frame).isdecimal():
            return [] if self._ignores_noise else [FrameRejected("made_up", now_ns, "noise", BTC.name)]
        number, at = int(frame), self._at
        if at is None or number <= at:
            return []
        if number != at + 1 and not self._ignores_gaps:
            self._at = None
            return [BookLost("made_up", BTC.name, now_ns, "gap", gap=True)]
        self._at = number
        bids = Levels([BTC.price(str(50 + number % 40))], [BTC.quantity(str(number))])
        return [BookDelta("made_up", BTC.name, now_ns, now_ns, bids, Levels([], []))]

    def answered(self, url: str, body: bytes, now_ns: int) -> list[Any]:
        return []

    def closed(self, reason: str, now_ns: int) -> list[Any]:
        return []

    def resync(self, symbol: str, reason: str, now_ns: int) -> Sequence[Any]:
        return []


def bench(**defects: bool) -> recorded_trials.RecordedBench:
    def records() -> Iterator[Record]:
        yield Record(0, "made_up", Kind.OPENED, "", "", "f", 2)
        for number in range(1, 60):
            yield Record(number, "made_up", Kind.RECEIVED, "", str(number), "f", number + 2)

    return recorded_trials.RecordedBench(list(records()), lambda name: Numbered(**defects), None)


def outcomes(of: recorded_trials.RecordedBench) -> dict[str, Outcome]:
    return {check.name: check.outcome for check in recorded_trials.recorded_trials(of)}


def test_a_sound_protocol_passes_on_its_recording() -> None:
    assert set(outcomes(bench()).values()) == {Outcome.PASSED}


def test_an_ignored_gap_is_found_in_a_recording() -> None:
    found = outcomes(bench(ignores_gaps=True))
    assert found["recorded gap"] is Outcome.FAILED and found["recording"] is Outcome.PASSED


def test_noise_that_is_passed_over_in_silence_is_found_in_a_recording() -> None:
    assert outcomes(bench(ignores_noise=True))["recorded noise"] is Outcome.FAILED


def test_a_venue_without_numbers_says_that_a_loss_cannot_be_noticed() -> None:
    unnumbered = bench()
    unnumbered.numbering = "none"
    found = {check.name: check for check in recorded_trials.recorded_trials(unnumbered)}
    assert found["recorded gap"].outcome is Outcome.NOT_EXERCISED and "cannot know" in found["recorded gap"].seen


def card(*checks: Check, fingerprint: str = "f") -> ScoreCard:
    return ScoreCard("binance", "binance", fingerprint, "its simulator", 1_790_000_000 * 10**9, checks)


def test_a_card_comes_back_from_its_document_and_a_forged_verdict_does_not() -> None:
    made = card(PASSED, FAILED)
    assert score_card(json.loads(json.dumps(made.document()))) == made
    assert (made.score, made.is_passed, card().is_passed) == ("1/2", False, False)
    assert "| gap | failed |" in made.markdown()
    with pytest.raises(DocumentRefused, match="does not follow"):
        score_card({**made.document(), "is_passed": True})


@pytest.fixture
def venues(tmp_path: Path) -> Path:
    """A process file that asks for certificates, with two venues that may be routed to."""
    (tmp_path / "venues").mkdir()
    for name in ("binance", "gateio"):
        text = (VENUES / f"{name}.yaml").read_text().replace("route: false", "route: true")
        (tmp_path / "venues" / f"{name}.yaml").write_text(text + "\n")
    (tmp_path / "aggregator.yaml").write_text("venues: [venues/]\nrouting: {certified: true}\n")
    return tmp_path


def keep(file: Path, *checks: Check) -> None:
    made = card(*checks, fingerprint=certificates.fingerprint(load_venue(file)))
    certificates.keep(replace(made, venue=file.stem), certificates.folder_of(file))


def routed(folder: Path) -> tuple[set[str], dict[str, str]]:
    configuration, objections = certificates.only_certified(load_configuration(folder / "aggregator.yaml"))
    return {venue.venue for venue in configuration.venues if venue.route}, objections


def test_only_a_venue_that_passed_as_it_is_now_is_routed_to(venues: Path) -> None:
    binance, gateio = (venues / "venues" / f"{name}.yaml" for name in ("binance", "gateio"))
    open_venues = {venue.venue for venue in load_configuration(venues / "aggregator.yaml").venues if venue.route}
    assert routed(venues)[0] == set()
    keep(binance, PASSED)
    keep(gateio, PASSED, FAILED)
    found, objections = routed(venues)
    assert found == open_venues & {"binance"} and "failed 1 of its checks" in objections["gateio"]
    binance.write_text(binance.read_text().replace("name: Binance", "name: Another name"))
    assert routed(venues)[0] == found, "what is shown of it says nothing of how it behaves"
    binance.write_text(binance.read_text().replace("maker: 0.001", "maker: 0.0009"))
    assert "has changed since" in routed(venues)[1]["binance"]
    (venues / "aggregator.yaml").write_text("venues: [venues/]\n")
    assert routed(venues)[0] == open_venues, "nobody asks for certificates"


def test_the_command_keeps_the_card_beside_the_file_and_the_list_shows_it(
    venues: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = venues / "venues" / "binance.yaml"
    monkeypatch.setattr(certification, "TRIALS", TRIALS[:2])
    assert main(["venue", "check", str(file)]) == 0
    assert "binance is certified, 3/3, against its simulator" in " ".join(capsys.readouterr().out.split())
    assert (venues / "venues" / "certificates" / "binance.md").read_text().startswith("# binance: passed, 3/3")
    assert main(["venue", "list", "--folder", str(venues / "venues"), "--json"]) == 0
    rows = {row["venue"]: row for row in json.loads(capsys.readouterr().out)["venues"]}
    assert (rows["binance"]["score"], rows["binance"]["uncertified"]) == ("3/3", None)
    assert rows["gateio"]["score"] is None and "never certified" in rows["gateio"]["uncertified"]
    assert main(["venue", "check", str(file), "--json"]) == 0
    assert score_card(json.loads(capsys.readouterr().out)).is_passed
    file.write_text(file.read_text() + "colour: blue\n")
    assert main(["venue", "check", str(file)]) == 2
    assert "colour: unknown key" in capsys.readouterr().err


def test_a_declared_venue_is_checked_on_a_recording_and_one_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = VENUES / "upbit.yaml"
    empty, nothing = tmp_path / "empty.jsonl.gz", tmp_path / "nothing"
    CaptureWriter(empty, "a test", "upbit").close()
    nothing.write_text("")
    out = ["--out", str(tmp_path)]
    assert main(["venue", "check", str(file), "--recording", str(empty), *out]) == 1
    assert "the recording brought no book to life" in " ".join(capsys.readouterr().out.split())
    assert main(["venue", "check", str(file), "--recording", str(nothing), *out]) == 2
    assert main(["venue", "check", str(file), *out]) == 1, "its file is sound, and nothing else was exercised"
    assert "give a recording" in " ".join(capsys.readouterr().out.split())
