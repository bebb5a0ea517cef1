"""Ways to break what a venue says: a few bytes of it, or a word of its JSON."""

import re
from collections.abc import Callable
from random import Random

from tests.fuzz.dialects import Sample

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
STRING = re.compile(r'"[^"\\]*"')
PAIR = re.compile(r'"[^"\\]*":(?:"[^"\\]*"|[\d.eE+-]+|null|true|false|\[[^\[\]{}]*\])')

ODD_VALUES = [
    *("null", "true", "[]", "{}", '""', '"x"', "0", "-1", "1", '"0"', '"-1"', '"1"', "[[]]", '[["1","1"]]', "[[1,1]]"),
    *("NaN", "Infinity", '"NaN"', '"inf"', "1e400", "1e-400", '"1e400"', '"1e-30"', "1.5", '"1_000"', '" 1"', '"1 "'),
    *("9223372036854775808", "-9223372036854775809", "1" * 60, "9" * 70, "9" * 5000, f'"{"9" * 5000}"', '"0.5.5"'),
    *(
        '"\\ud800"',
        '"\\u0000"',
        '"\uff11\uff12"',
        '"' + "x" * 3000 + '"',
        "[" * 2000 + "]" * 2000,
        '"."',
        '"1."',
        '".1"',
    ),
]


def mutate(sample: Sample, chance: Random) -> str | bytes:
    """What is left of it, as bytes or as text."""
    text = sample.text
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        text = chance.choice(BY_WORD if chance.random() < 0.7 else BY_CHARACTER)(text, chance)
    payload = sample._replace(text=text.encode("utf-8", "replace").decode()).payload
    if sample.is_gzipped and chance.random() < 0.2:
        return _broken_bytes(payload if isinstance(payload, bytes) else payload.encode(), chance)
    if chance.random() < 0.1:
        return payload.encode() if isinstance(payload, str) else payload.decode("utf-8", "replace")
    if chance.random() < 0.1:
        return _broken_bytes(payload.encode() if isinstance(payload, str) else payload, chance)
    return payload


def _broken_bytes(payload: bytes, chance: Random) -> bytes:
    broken = bytearray(payload)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(broken) + 1)
        broken[at : at + chance.randint(0, 4)] = chance.randbytes(chance.randint(0, 3))
    return bytes(broken)


def _replaced(pattern: re.Pattern[str], text: str, chance: Random, new: Callable[[str], str]) -> str:
    """With one of the matches made into something else."""
    matches = list(pattern.finditer(text))
    if not matches:
        return text
    match = chance.choice(matches)
    return text[: match.start()] + new(match.group()) + text[match.end() :]


def _odd_number(text: str, chance: Random) -> str:
    return _replaced(NUMBER, text, chance, lambda _: chance.choice(ODD_VALUES).strip('"'))


def _other_number(text: str, chance: Random) -> str:
    return _replaced(NUMBER, text, chance, lambda _: chance.choice([found.group() for found in NUMBER.finditer(text)]))


def _odd_value(text: str, chance: Random) -> str:
    return _replaced(STRING, text, chance, lambda _: chance.choice(ODD_VALUES))


def _other_string(text: str, chance: Random) -> str:
    return _replaced(STRING, text, chance, lambda _: chance.choice([found.group() for found in STRING.finditer(text)]))


def _lost_pair(text: str, chance: Random) -> str:
    return _replaced(PAIR, text, chance, lambda _: '"gone":0')


def _doubled_pair(text: str, chance: Random) -> str:
    return _replaced(PAIR, text, chance, lambda pair: f"{pair},{chance.choice(PAIR.findall(text))}")


def _wrapped(text: str, chance: Random) -> str:
    return chance.choice(("[{}]", '{{"data":{}}}', "{}{}", "{},", " {}\n", "\ufeff{}")).replace("{}", text)


def _renamed_symbol(text: str, chance: Random) -> str:
    return re.sub(
        r"(?i)btc|eth|xrp", lambda found: chance.choice(("BTC", "ETH", "XRP", "btc", "DOGE", "")), text, count=2
    )


def _cut(text: str, chance: Random) -> str:
    return text[: chance.randrange(len(text) + 1)]


def _without_slice(text: str, chance: Random) -> str:
    at = chance.randrange(len(text) + 1)
    return text[:at] + text[at + chance.randint(1, 20) :]


def _with_slice_twice(text: str, chance: Random) -> str:
    at = chance.randrange(len(text) + 1)
    end = at + chance.randint(1, 40)
    return text[:end] + text[at:end] + text[end:]


def _with_character(text: str, chance: Random) -> str:
    at = chance.randrange(len(text) + 1)
    return (
        text[:at]
        + chance.choice('[]{}",:.0123456789eE+-_ \n\\nulltrue\x00\xff\u0661')
        + text[at + chance.randint(0, 1) :]
    )


BY_WORD = (
    *(_odd_number, _odd_number, _other_number, _odd_value, _other_string, _lost_pair, _doubled_pair, _renamed_symbol),
    _wrapped,
)
BY_CHARACTER = (_cut, _without_slice, _with_slice_twice, _with_character, _with_character)
