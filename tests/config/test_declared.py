"""A venue's declaration: every mistake once, with the line that tells it, its key and what would be right."""

from pathlib import Path

import pytest

from aggregator.config.files import load_configuration
from aggregator.config.venues import venue_from
from aggregator.domain.errors import ConfigurationRefused
from tests.config.declared_texts import CHAINED, DECLARED, PICTURES
from tests.config.texts import VENUE, spoiled

SOUND = {"told.yaml": DECLARED, "seen.yaml": PICTURES, "linked.yaml": CHAINED, "example.yaml": VENUE}


def mistakes() -> list[tuple[str, str, str]]:
    """The blocks of declared_mistakes.txt after its first, with line breaks written as in Python."""
    blocks = Path(__file__).with_name("declared_mistakes.txt").read_text().split("\n\n")[1:]
    rows = (block.strip("\n").splitlines() for block in blocks)
    return [(plain(sound), plain(spoilt), fault) for sound, spoilt, fault in rows]


def plain(text: str) -> str:
    return "" if text == "(nothing)" else text.replace("\\n", "\n")


MISTAKES = mistakes()


def faults(raw: bytes, file: str) -> list[str]:
    with pytest.raises(ConfigurationRefused) as refused:
        venue_from(raw, file)
    return list(refused.value.faults)


@pytest.mark.parametrize(("sound", "spoilt", "fault"), MISTAKES, ids=[row[2] for row in MISTAKES])
def test_each_mistake_is_told_where_it_is_with_what_would_be_right(sound: str, spoilt: str, fault: str) -> None:
    file = fault.partition(":")[0]
    assert faults(spoiled(SOUND[file], (sound, spoilt)), file) == [fault]


@pytest.mark.parametrize("file", ["told.yaml", "seen.yaml", "linked.yaml"])
def test_sound_declarations_are_read(file: str) -> None:
    declared = venue_from(SOUND[file].encode(), file).declared
    assert declared is not None
    assert declared.subscribe


def test_a_file_with_a_fault_adds_nothing_at_all(tmp_path: Path) -> None:
    (tmp_path / "venues").mkdir()
    (tmp_path / "venues" / "seen.yaml").write_text(PICTURES)
    (tmp_path / "venues" / "told.yaml").write_bytes(spoiled(DECLARED, ("first: data.first", "fist: data.first")))
    (tmp_path / "aggregator.yaml").write_text("venues: venues/\n")
    with pytest.raises(ConfigurationRefused) as refused:
        load_configuration(tmp_path / "aggregator.yaml")
    (fault,) = refused.value.faults
    assert fault.endswith("told.yaml:40:9: declared.messages.1.book.fist: unknown key; did you mean first?")
