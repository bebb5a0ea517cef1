"""What the documents say is so: commands, routes, metrics and files exist, and the reverse."""

import re
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from aggregator.cli import main
from aggregator.domain.events import FrameRejected
from tests.api.test_market import service

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()


def commands() -> set[str]:
    return set(re.findall(r"`aggregator (\w+)", README))


@pytest.mark.parametrize("command", sorted(commands()))
def test_every_command_in_the_readme_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert "usage: aggregator" in capsys.readouterr().out


def test_every_command_is_in_the_readme(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    known = set(re.findall(r"^    (\w+) ", capsys.readouterr().out, re.MULTILINE))
    assert known == commands()


def test_the_routes_in_the_readme_are_those_of_the_server() -> None:
    _, server = service()
    served = {resource.canonical for resource in server.app.router.resources()}
    rows = re.findall(r"^\| (`(?:GET|POST)[^|]*) \|", README, re.MULTILINE)
    assert {route for row in rows for route in re.findall(r"`(?:GET|POST) (/[^`]*)`", row)} == served


async def test_the_metrics_in_the_readme_are_those_of_the_code() -> None:
    engine, server = service()
    engine.apply(FrameRejected("binance", 1, "not JSON"))
    async with TestClient(TestServer(server.app)) as client:
        text = await (await client.get("/metrics")).text()
    exposed = set(re.findall(r"^# HELP (\w+) ", text, re.MULTILINE))
    assert set(re.findall(r"`(aggregator_\w+)`", README)) == exposed


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`((?:config|tests|aggregator|connectors)/[\w./-]+)`", README + ARCHITECTURE)))
)
def test_every_file_that_the_documents_name_exists(path: str) -> None:
    assert (ROOT / path).exists() or (ROOT / f"{path}.py").exists()


def test_the_rooms_in_the_architecture_are_those_of_the_house() -> None:
    rooms = {path.name for path in (ROOT / "aggregator").iterdir() if path.is_dir() and not path.name.startswith("_")}
    drawn = ARCHITECTURE.split("```")[1]
    assert all(re.search(rf"\b{room}\b", drawn) for room in rooms)
