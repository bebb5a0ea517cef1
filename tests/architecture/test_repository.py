"""What is committed works anywhere: nothing in it names a package index, or a folder of one machine."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from tests.paths import REPOSITORY

# Written so that these lines do not match themselves.
INDEX_URL = re.compile(r"index[-_]url[\s=\"']+\w+:|find[-_]links[\s=\"']+\S|:/{2}\S*/simple\b|:/{2}registry\.")
MACHINE_PATH = re.compile(r"(?<![\w.-])/(?:work|root|home)/\S")


def tracked_files() -> list[Path]:
    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout

    try:
        top = Path(git("rev-parse", "--show-toplevel").strip())
        listed = git("ls-files", "-z").split("\0")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not in a git checkout: nothing says which files are the project's")
    if top.resolve() != REPOSITORY:
        pytest.skip("unpacked inside another git checkout: nothing says which files are the project's")
    return [REPOSITORY / name for name in listed if (REPOSITORY / name).is_file()]


def lines_that_match(pattern: re.Pattern[str], files: list[Path]) -> list[str]:
    return [
        f"{file.relative_to(REPOSITORY)}:{number}: {line.strip()[:120]}"
        for file in files
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_tracked_file_names_a_package_index() -> None:
    assert not lines_that_match(INDEX_URL, tracked_files())


def test_no_tracked_file_names_a_path_of_one_machine() -> None:
    assert not lines_that_match(MACHINE_PATH, tracked_files())


def test_every_tracked_python_file_parses() -> None:
    for file in tracked_files():
        if file.suffix == ".py":
            ast.parse(file.read_bytes(), str(file))


def test_constraints_are_exact_hashed_and_name_no_host() -> None:
    text = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8")
    assert "://" not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) > 1
    for entry in entries:
        assert re.match(r"[\w.-]+==[\w.]+ .*?--hash=sha256:[0-9a-f]{64}", entry, re.DOTALL), entry.splitlines()[0]


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (INDEX_URL, "--index-" + "url https:/" + "/pypi.example/simple"),
        (INDEX_URL, "extra-index-" + "url = file:/" + "/opt/pypi"),
        (INDEX_URL, "--find-" + "links /opt/wheels"),
        (INDEX_URL, "https:/" + "/mirror.example/simple/aiohttp/"),
        (MACHINE_PATH, "cd /" + "home/someone/aggregator"),
        (MACHINE_PATH, "file://" + "/ro" + "ot/.cache"),
    ],
)
def test_what_is_looked_for_is_found(pattern: re.Pattern[str], line: str) -> None:
    assert pattern.search(line)


@pytest.mark.parametrize("line", ["https://venue.example/home/markets", "../shared/captures", "/v1/orders"])
def test_what_is_sound_is_not_found(line: str) -> None:
    assert not INDEX_URL.search(line)
    assert not MACHINE_PATH.search(line)
