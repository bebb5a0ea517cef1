"""`venue list` and `venue add`: what they print and write, and how they end."""

import json
import re
from pathlib import Path

import pytest

from aggregator.cli import main
from aggregator.config.files import check_file
from aggregator.config.templates import BLANK
from tests.paths import REPOSITORY

CONNECTORS = ["binance", "cryptocom", "gateio", "huobi", "declarative"]

FILLED = {
    "name": "Example",
    "stream": "wss://stream.example.org",
    "rest": "https://example.org",
    "private": "wss://private.example.org",
    "maker": "0.001",
    "taker": "0.002",
    "symbol": "BTC_USDT",
    "instrument": "BTC/USDT",
    "tick": "0.1",
    "lot": "0.001",
    "minimum_quantity": "0.001",
    "minimum_notional": "5",
    "connections_per_5m": "100",
    "messages_per_second": "5",
    "weight_per_minute": "600",
    "spelling": "<base>_<quote>",
    "message": "'{\"subscribe\":[<each>]}'",
    "numbering": "range",
    BLANK: "book",
    "last": "id",
    "at": "time",
    "bids": "bids",
    "asks": "asks",
}
"""What is written into the blank that follows each key."""


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def filled(text: str) -> str:
    def value(blank: re.Match[str]) -> str:
        return f"{blank[1]}: {FILLED[blank[1]]}"

    text = re.sub(r"(\w+): (?:wss://|https://)?___", value, text)
    return text.replace(f"{{{BLANK}:", "{kind:")


@pytest.mark.parametrize("connector", CONNECTORS)
def test_a_new_file_is_sound_once_its_blanks_are_filled_in(connector: str) -> None:
    assert main(["venue", "add", "sample", "--via", connector]) == 0
    file = Path("config/venues/sample.yaml")
    told = check_file(file)
    lines = {number for number, line in enumerate(file.read_text().splitlines(), 1) if BLANK in line}
    assert {int(fault.split(":")[1]) for fault in told} == lines, "each blank is told, and nothing else"
    file.write_text(filled(file.read_text()))
    assert BLANK not in file.read_text()
    assert check_file(file) == []


def test_the_comments_of_a_new_declaration_are_sound_too() -> None:
    """Whoever takes the # away from an example gets something that is read."""
    main(["venue", "add", "sample"])
    text = filled(Path("config/venues/sample.yaml").read_text())
    head, declared = text.split("\ndeclared:\n")
    shown = re.sub(r"^( *)# (?=keepalive:|compression:|- |  )", r"\1", declared, flags=re.MULTILINE)
    Path("config/venues/sample.yaml").write_text(f"{head}\ndeclared:\n{shown}")
    assert check_file(Path("config/venues/sample.yaml")) == []


def test_a_file_that_is_there_is_never_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["venue", "add", "sample"]) == 0
    file = Path("config/venues/sample.yaml")
    file.write_text("mine")
    assert main(["venue", "add", "sample"]) == 2
    assert "is there already; edit it, or choose another name" in capsys.readouterr().err
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["Sample"], "'Sample' is not a venue id"),
        (["../sample"], "'../sample' is not a venue id"),
        (["sample", "--via", "nothing"], "there is no connector 'nothing'; there are binance, cryptocom, declarative"),
    ],
)
def test_what_cannot_be_added_is_refused_and_nothing_is_written(
    arguments: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["venue", "add", *arguments]) == 2
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_list_holds_every_venue_and_how_its_updates_are_numbered(capsys: pytest.CaptureFixture[str]) -> None:
    folder = REPOSITORY / "config" / "venues"
    assert main(["venue", "list", "--folder", str(folder), "--json"]) == 0
    listed = {row["venue"]: row for row in json.loads(capsys.readouterr().out)["venues"]}
    assert listed.keys() == {file.stem for file in folder.glob("*.yaml")}
    assert (listed["upbit"]["connector"], listed["upbit"]["numbering"]) == ("declarative", "pictures")
    assert listed["bithumb"]["never_live"] == "the socket sends changes without ids and never the whole book"
    assert (listed["binance"]["numbering"], listed["binance"]["listings"]) == (None, 10)
    assert listed["gateio_v3"]["status"] == "defunct"


def test_a_broken_file_is_told_and_the_others_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("config/venues")
    folder.mkdir(parents=True)
    text = (REPOSITORY / "config" / "venues" / "upbit.yaml").read_text()
    (folder / "upbit.yaml").write_text(text)
    (folder / "broken.yaml").write_text(
        text.replace("venue: upbit", "venue: broken").replace("numbering: pictures", "")
    )
    assert main(["venue", "list"]) == 1
    shown = capsys.readouterr()
    assert "Upbit" in shown.out
    assert "broken" not in shown.out
    assert re.fullmatch(r"config/venues/broken.yaml:\d+:1: declared.numbering: missing; .*\n", shown.err)


def test_a_folder_that_is_not_there_is_said_to_be_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["venue", "list"]) == 2
    assert "no such folder" in capsys.readouterr().err
