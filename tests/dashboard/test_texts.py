"""The page's words: the same keys in both languages, each of them used, and no words anywhere else."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.paths import REPOSITORY

FOLDER = REPOSITORY / "aggregator" / "dashboard"
LANGUAGES = ("en", "ko")
SCRIPTS = sorted(FOLDER.glob("*.js"))
HANGUL = re.compile("[\uac00-\ud7a3]")

USED_IN_SCRIPT = re.compile(r'"([a-z_]+\.[A-Za-z_]+)"')
USED_WITH_A_NAME = re.compile(r"`([a-z_]+\.)\$\{")
STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`')
WORDS = re.compile(r"[A-Za-z]{2,} [a-z]{2,}|[A-Z][a-z]{2,}")

# Names that the browser knows things by: of events, keys, headers, algorithms and the like.
NO_WORDS = re.compile(
    r"ArrowLeft|ArrowRight|Escape|Content-Type|X-CSRF-Token|X-API-Key|X-Timestamp-Ns|X-Signature|use strict|"
    r"\(prefers-color-scheme: dark\)|\(max-width: \d+px\)"
)


class Page(HTMLParser):
    """Its keys, the text between its tags, and the attributes that are read aloud."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[str] = []
        self.texts: list[str] = []
        self.spoken: list[str] = []

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("data-text", "data-label", "data-title"):
                self.keys.append(value)
            if name in ("aria-label", "title", "alt", "placeholder"):
                self.spoken.append(value)

    def handle_data(self, data):
        self.texts += filter(None, [data.strip()])


def page() -> Page:
    parsed = Page()
    parsed.feed((FOLDER / "index.html").read_text(encoding="utf-8"))
    return parsed


def words(language: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((FOLDER / "texts" / f"{language}.json").read_text(encoding="utf-8"))
    return found


def code(script: Path) -> str:
    """Without its comments."""
    text = re.sub(r"/\*.*?\*/", "", script.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"(^|\s)//.*", "", text)


def used() -> tuple[set[str], set[str]]:
    """Keys as they are written, and the beginnings of those that end in a name of the API's."""
    scripts = "\n".join(map(code, SCRIPTS))
    known_rooms = {key.partition(".")[0] for key in words("en")}
    keys = {key for key in USED_IN_SCRIPT.findall(scripts) if key.partition(".")[0] in known_rooms}
    # A card's facts are named by their parts.
    facts = re.search(r"const FACTS = \[(.*?)\]", scripts, re.DOTALL)
    assert facts
    keys |= {f"venues.{name}" for name in re.findall(r'"(\w+)"', facts[1])}
    return keys | set(page().keys), set(USED_WITH_A_NAME.findall(scripts)) - {"venues."}


def test_both_languages_have_the_same_keys_in_the_same_order():
    english, korean = (list(words(language)) for language in LANGUAGES)
    assert english == korean == sorted(english)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty(language):
    assert [key for key, text in words(language).items() if not text.strip()] == []


def test_both_languages_fill_in_the_same_names():
    english, korean = words("en"), words("ko")
    names = re.compile(r"\{(\w+)\}")
    assert {key: sorted(names.findall(text)) for key, text in english.items()} == {
        key: sorted(names.findall(text)) for key, text in korean.items()
    }


def test_korean_is_korean():
    same_in_both = {"best.bps", "language.en", "session.account"}
    assert {key for key, text in words("ko").items() if not HANGUL.search(text)} <= same_in_both
    assert {key for key, text in words("en").items() if HANGUL.search(text)} == {"language.ko"}


def test_every_key_that_is_used_is_there():
    keys, beginnings = used()
    known = words("en")
    assert sorted(keys - known.keys()) == []
    assert [begin for begin in beginnings if not any(key.startswith(begin) for key in known)] == []


def test_every_key_that_is_there_is_used():
    keys, beginnings = used()
    assert [key for key in words("en") if key not in keys and not key.startswith(tuple(beginnings))] == []


def test_the_page_itself_holds_no_words():
    parsed = page()
    assert set(parsed.texts) <= {"\u2212", "+"}
    assert parsed.spoken == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_no_script_holds_words(script):
    strings = [re.sub(r"\$\{[^}]*\}", "x", "".join(found)) for found in STRING.findall(code(script))]
    assert [text for text in strings if WORDS.search(NO_WORDS.sub("", text)) and not is_selector(text)] == []


def is_selector(text: str) -> bool:
    """A list of classes, or a path into the page."""
    return bool(re.fullmatch(r"[a-z0-9-]+( [a-z0-9-]+)+", text))


@pytest.mark.parametrize(
    ("room", "names"),
    [
        ("health", "aggregator.domain.book:Health"),
        ("parent", "aggregator.domain.order:ParentState"),
        ("child", "aggregator.domain.lifecycle:ChildState"),
        ("tif", "aggregator.domain.order:TimeInForce"),
        ("type", "aggregator.domain.order:OrderType"),
        ("liquidity", "aggregator.domain.order:Liquidity"),
        ("side", "aggregator.domain.instrument:Side"),
    ],
)
def test_every_state_of_the_domain_has_its_words_and_no_others_do(room, names):
    module, _, name = names.partition(":")
    states = {member.value for member in getattr(__import__(module, fromlist=[name]), name)}
    assert {key.partition(".")[2] for key in words("en") if key.startswith(f"{room}.")} == states
