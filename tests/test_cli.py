"""The commands as their users call them: what they print, and how they end."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aggregator.cli import main
from tests.paths import needs_shared, shared
from tests.records.test_replay import received, recording, started

ROOT = Path(__file__).parents[1]
BINANCE = ROOT / "config" / "venues" / "binance.yaml"


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@needs_shared
def test_two_recordings_of_which_the_second_continues_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    captures = [str(shared("captures", f"binance-btcusdt-2024080{day}.jsonl.gz")) for day in (8, 9)]
    assert main(["replay", *captures, "--json"]) == 0
    book = json.loads(capsys.readouterr().out)["books"]["binance"]["BTC/USDT"]
    golden = json.loads(shared("captures", "golden.json").read_text())["binance-btcusdt-20240808+20240809"]
    assert book["sha256"] == golden["symbols"]["BTCUSDT"]["book_sha256"]
    assert book["health"] == "live"


def test_a_damaged_recording_exits_1_and_names_the_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = recording(tmp_path, *started("BTCUSDT"), received("garbage"))
    assert main(["replay", str(path)]) == 1
    assert f"{path.name}:4: binance: not a message of this venue" in capsys.readouterr().out


def test_a_file_that_is_no_recording_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    assert main(["replay", str(path)]) == 2
    assert "not a capture" in capsys.readouterr().err


def test_a_book_of_a_recording_is_a_ladder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(recording(tmp_path, *started("BTCUSDT")))
    assert main(["book", "btc-usdt", "--replay", path]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"binance\s+1\s+1\s+100\s+101\s+2\s+2\s+binance", shown)
    assert "spread 1" in shown
    assert main(["book", "BTC/USDT", "--replay", path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bids"] == [["100", "1", {"binance": "1"}]]
    assert main(["book", "DOGE/USDT", "--replay", path]) == 2
    assert "there are BTC/USDT" in capsys.readouterr().err


def test_config_check_names_every_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", str(BINANCE)]) == 0
    bad = tmp_path / "binance.yaml"
    bad.write_text(BINANCE.read_text().replace("route: false", "route: perhaps\nrout: true"))
    capsys.readouterr()
    assert main(["config", "check", str(bad)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [re.sub(r":\d+:\d+: (\w+): .*", r" \1", line) for line in lines] == [f"{bad} route", f"{bad} rout"]


def test_config_schema_describes_every_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "schema"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"aggregator", "venue", "listings", "keys"}


@pytest.mark.parametrize(
    "arguments", [[], ["nothing"], ["replay"], ["replay", "x", "--speed", "0"], ["demo", "--port", "x"]]
)
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2


def test_a_service_that_is_not_there_is_said_to_be_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["book", "BTC/USDT", "--url", "http://127.0.0.1:1"]) == 3
    assert "does not answer" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["run", "capture"])
def test_a_defunct_venue_is_not_started(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    config = tmp_path / "aggregator.yaml"
    config.write_text(f"venues: [{ROOT}/config/venues/ftx.yaml]\nlisten: {{port: 0, anonymous: [read]}}\n")
    extra = ["--out", str(tmp_path / "x.gz"), "--seconds", "1"] if command == "capture" else []
    assert main([command, "--config", str(config), *extra]) == 3
    assert "FTX is defunct since 2022-11-11" in capsys.readouterr().err


def test_playing_at_a_speed_takes_its_time(tmp_path: Path) -> None:
    """Three records a second apart, a hundred times as fast."""
    path = recording(tmp_path, *started("BTCUSDT"), received("{}"))
    began = time.monotonic()
    main(["replay", str(path), "--speed", "100"])
    assert time.monotonic() - began >= 0.02


def test_ccxt_and_pandas_are_not_loaded_by_the_command() -> None:
    """They cost half a second and a hundred megabytes, and ccxt patches aiohttp for the whole process."""
    program = "import sys, aggregator.cli; sys.exit(bool({'ccxt', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
