"""The tutorial, followed word by word: its commands are run in an empty folder, and its pieces make the file."""

import re
import shlex
from pathlib import Path

import pytest

from aggregator.cli import main
from aggregator.config.declared import Declared
from aggregator.config.schema import json_schema
from aggregator.config.venues import VenueSettings, load_venue
from tests.connectors.test_golden import golden_symbols
from tests.paths import REPOSITORY, needs_shared, shared

PAGE = (REPOSITORY / "docs" / "ADD_A_VENUE.md").read_text()
FILE = Path("config") / "venues" / "upbit.yaml"


def fenced(language: str) -> list[str]:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [text for name, text in blocks if name == language]


COMMANDS = [line for block in fenced("sh") for line in block.splitlines()]
WRITTEN = "".join(fenced("yaml"))


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(command: str) -> int:
    program, *arguments = shlex.split(command)
    assert program == "aggregator"
    return main([str(shared(*part.split("/")[2:])) if part.startswith("../shared/") else part for part in arguments])


def test_its_commands_are_those_that_this_test_runs() -> None:
    check = f"aggregator config check {FILE}"
    replay = "aggregator replay ../shared/captures/upbit-20210405.jsonl.gz"
    certify = f"aggregator venue check {FILE} --recording ../shared/captures/upbit-20210405.jsonl.gz"
    steps = ["aggregator venue add upbit", check, check, "aggregator venue list", replay, certify]
    assert steps == COMMANDS


def test_the_file_that_is_made_shows_the_blanks_as_the_page_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(COMMANDS[0]) == 0
    assert run(COMMANDS[1]) == 1
    (shown,) = fenced("")
    assert set(shown.splitlines()) <= set(capsys.readouterr().err.splitlines())


def test_the_pieces_make_a_sound_file_that_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    FILE.parent.mkdir(parents=True)
    FILE.write_text(WRITTEN)
    assert [run(command) for command in COMMANDS[2:4]] == [0, 0]
    assert re.search(r"upbit\s+Upbit\s+declarative\s+pictures\s+active\s+2", capsys.readouterr().out)


def test_they_declare_what_the_projects_own_file_declares() -> None:
    FILE.parent.mkdir(parents=True)
    FILE.write_text(WRITTEN)
    assert load_venue(FILE).declared == load_venue(REPOSITORY / FILE).declared


@needs_shared
def test_the_recording_replays_to_its_golden_books(capsys: pytest.CaptureFixture[str]) -> None:
    FILE.parent.mkdir(parents=True)
    FILE.write_text(WRITTEN)
    assert run(f"{COMMANDS[4]} --json") == 0
    shown = capsys.readouterr().out
    for golden in golden_symbols("upbit-20210405").values():
        assert golden["book_sha256"] in shown


@needs_shared
def test_it_ends_in_a_check_that_passes(capsys: pytest.CaptureFixture[str]) -> None:
    FILE.parent.mkdir(parents=True)
    FILE.write_text(WRITTEN)
    assert run(COMMANDS[5]) == 0
    assert "upbit is certified" in " ".join(capsys.readouterr().out.split())
    assert (FILE.parent / "certificates" / "upbit.md").is_file()


def test_swapped_assets_are_found_as_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    FILE.parent.mkdir(parents=True)
    FILE.write_text(WRITTEN.replace("instrument: BTC/KRW", "instrument: KRW/BTC"))
    assert run(COMMANDS[2]) == 1
    assert "listings.0.instrument: spelt <quote>-<base>, KRW-BTC is BTC/KRW" in capsys.readouterr().err


def test_every_key_of_the_grammar_is_on_the_page_and_the_reverse() -> None:
    table = PAGE.partition("## What the grammar knows")[2]
    documented = set(re.findall(r"`([a-z_]+)`", table))
    schemas = json_schema(VenueSettings)["$defs"]
    inside = reached(schemas, "Declared")
    keys = {key for name in inside for key in schemas[name]["properties"]}
    words = {word for name in inside for rule in schemas[name]["properties"].values() for word in rule.get("enum", ())}
    assert keys <= documented
    assert documented <= keys | words
    assert set(Declared.model_fields) <= documented


def reached(schemas: dict[str, dict[str, object]], name: str) -> set[str]:
    """The mappings that a mapping holds, and itself."""
    found = {name}
    for inner in re.findall(r"#/\$defs/(\w+)", str(schemas[name])):
        if inner not in found:
            found |= reached(schemas, inner)
    return found
