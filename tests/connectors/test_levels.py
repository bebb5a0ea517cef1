"""Levels are read from the wire to the last digit, or the frame is refused; nothing else comes out."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from random import Random

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from aggregator.domain.book import Levels
from aggregator.domain.errors import FrameRefused
from aggregator.domain.instrument import Instrument, Listing
from connectors import levels as levels_module
from connectors.levels import EvenLevels, read_cells, read_levels
from tests.twins.examples import examples
from tests.twins.wire_levels import Malformed, naive_levels

INSTRUMENT = Instrument("BTC/USDT", "BTC", "USDT", price_decimals=8, quantity_decimals=10)
LISTING = Listing("venue", "BTCUSDT", INSTRUMENT)


class Side(msgspec.Struct):
    levels: Raw


def read(text: bytes, columns: int = 2) -> Levels | None:
    """None for what is refused; any other error fails the test."""
    try:
        return read_levels(Raw(text), LISTING, columns)
    except FrameRefused as error:
        assert error.symbol == "BTCUSDT"
        return None


def naive(text: bytes, columns: int = 2) -> Levels | None:
    try:
        return naive_levels(text, INSTRUMENT, columns)
    except Malformed:
        return None


def decimal_text(decimals: int) -> st.SearchStrategy[str]:
    return st.integers(1, 10**9).map(lambda value: f"{Decimal(value).scaleb(-decimals):f}")


LEVEL = st.tuples(st.integers(0, 10**14), st.one_of(st.just(0), st.integers(0, 10**14)))
EXPONENT_TEXT = st.builds("{}e{}".format, st.integers(1, 999), st.integers(-10, 9))
ANY_TEXT = st.one_of(st.integers(0, 10).flatmap(decimal_text), EXPONENT_TEXT, st.sampled_from(["0", "0.00", "1E-8"]))
BLANK = st.sampled_from(["", "", "", " ", "\n\t"])


@st.composite
def sides(draw: st.DrawFn, columns: int) -> bytes:
    """As venues write them: even or uneven decimals, quoted or bare, close or with blanks between."""
    is_even, is_quoted = draw(st.booleans()), draw(st.booleans())
    price_text = decimal_text(draw(st.integers(0, 8))) if is_even else ANY_TEXT
    quantity_text = decimal_text(draw(st.integers(0, 10))) if is_even else ANY_TEXT
    blank = draw(BLANK)
    rows = []
    for _ in range(draw(st.integers(0, 12))):
        numbers = [draw(price_text), draw(quantity_text), str(draw(st.integers(0, 9)))][:columns]
        cells = [f'"{number}"' if is_quoted else number for number in numbers]
        rows.append(f"[{blank}{f'{blank},{blank}'.join(cells)}{blank}]")
    return f"[{blank}{f',{blank}'.join(rows)}{blank}]".encode()


ODD_STRINGS = ["1,2", "1 2", " 1", "", "[", "[1", "2]", ".", ".5", "5.", "-1", "1e", "1_0", "\\u0031", "\uff11"]
ODD_CELLS = [
    *(f'"{text}"' for text in ODD_STRINGS),
    *("-1", "0", "-0", "1E+2", "null", "true", "[]", "[1]", "{}", '{"1":2}'),
]


@st.composite
def odd_sides(draw: st.DrawFn) -> bytes:
    """JSON that is almost a side."""
    cells = st.one_of(ANY_TEXT, ANY_TEXT.map('"{}"'.format), st.sampled_from(ODD_CELLS))
    rows = draw(st.lists(st.lists(cells, min_size=2, max_size=2) | st.lists(cells, max_size=3), max_size=5))
    opened, closed = draw(st.sampled_from([("[", "]")] * 9 + [("[[", "]]"), ("", ""), ('{"1":', "}")]))
    return (opened + ",".join("[" + ",".join(row) + "]" for row in rows) + closed).encode()


def damaged(seed: int, count: int) -> Iterator[bytes]:
    """Sides with a few bytes of them lost, doubled or replaced."""
    chance = Random(seed)
    sound = [
        b'[["61837.63","3.78826000"],["61837.60","0.00010000"],["61836.00","12.00000000"],["61835.10","1.00000000"]]',
        b'[["61837.63","3.78826"],["61837.6","1e-4"]]',
        b"[[60000.1,0.52],[59990.0,0],[9.121E-7,3]]",
        b'[ ["1", "2"],\n ["3", "4"] ]',
    ]
    for _ in range(count):
        text = bytearray(chance.choice(sound))
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(text))
            text[at : at + chance.randint(0, 3)] = chance.choice(
                [b"", b'""', text[:at], bytes([chance.choice(DAMAGE)])]
            )
        yield bytes(text)


DAMAGE = b'[]{}",.0123456789eE+- \n\x00\xff'


def is_json(text: bytes) -> bool:
    """What a frame's decoder lets through as one side."""
    try:
        msgspec.json.decode(b'{"levels":' + text + b"}", type=Side)
    except msgspec.DecodeError:
        return False
    return True


class TestReadingAgreesWithPythonsJson:
    @pytest.mark.parametrize("columns", [2, 3])
    @given(data=st.data())
    @examples(100)
    def test_for_sides_as_venues_write_them(self, columns: int, data: st.DataObject) -> None:
        text = data.draw(sides(columns))
        assert read(text, columns) == naive(text, columns)

    @given(text=odd_sides())
    @example(b'[["1,2"]]')
    @example(b'[["1 2","3"]]')
    @example(b'[["1","2"],["3","4 "]]')
    @example(b'["[1","2]"]')
    @example(b'["[1,2]"]')
    @example(b"[1]")
    @example(b'["1"]')
    @example(b'[""]')
    @example(b'["",""]')
    @example(b'[["",""]]')
    @example(b"[ ]")
    @example(b" [\n[ 1 ,\t2 ] ] ")
    @examples(200)
    def test_for_json_that_is_almost_a_side(self, text: bytes) -> None:
        assert read(text) == (naive(text) if is_json(text) else None)

    def test_for_sides_that_are_damaged(self) -> None:
        left = [text for text in damaged(seed=1, count=4000) if is_json(text)]
        assert len(left) > 200
        for text in left:
            assert read(text) == naive(text), text

    def test_or_the_frame_is_refused_and_nothing_else_is_raised(self) -> None:
        for text in damaged(seed=2, count=3000):
            read(text, 2)
            read(text, 3)
        for text in (b'[[".","."],[".","."],[".","."],[".","."]]', b'1111[[".","."],[".","."],[".","."],[".","."]]'):
            assert read(text) is None


class TestBothPathsAgree:
    """The quick one for both sides of a book in even decimals, and the careful one for all others."""

    @given(bids=st.one_of(sides(2), odd_sides()), asks=st.one_of(sides(2), odd_sides()))
    @example(b"[]", b"[]")
    @example(b"[1]", b"[]")
    @example(b'["1.0","2.0"]', b'[["1.0","2.0"]]')
    @example(b'[["1.0","2.0"]]', b'["1.0"]')
    @example(b"null", b'[["1.0","2.0"],["3.0","4.0"]]')
    @example(b"", b'[["1.0","2.0"]]')
    @example(b'[[" 1.0","2.0"]]', b"[]")
    @example(b'[["1.0"," 2.0"]]', b"[]")
    @example(b'[["1.0","2.0","3.00"]]', b"[]")
    @example(b'[["1,2.0","3.0"]]', b"[]")
    @example(b'[[["1.0","2.0"]]]', b"[]")
    @example(b'[["0.0","2.0"]]', b"[]")
    @example(b'[["0.5","0.0"]]', b'[["8000000000.5","0.5"]]')
    @example(b'[["999999999.5","0.5"]]', b'[["9999999999.5","80000000000.0"]]')
    @example(b'[["00.5","0.0"]]', b"[]")
    @example(b'[["-1.5","1.0"]]', b'[["1.5","-1.0"]]')
    @example(b'[[".5","5.0"]]', b'[["5.","5."]]')
    @example(b'[[".","."]]', b"[]")
    @example(b'[["%s.0","1.0"]]' % (b"1" * 40), b'[["1.0","%s.0"]]' % (b"9" * 5000))
    @example(b'[["%s1.0","1.0"]]' % (b"0" * 70), b'[["1.%s","1.0"]]' % (b"0" * 30))
    @examples(80)
    def test_on_whatever_a_frame_may_hold(self, bids: bytes, asks: bytes) -> None:
        even = EvenLevels(LISTING)
        for _ in range(2):
            assert read_both(even, bids, asks) == naive_both(bids, asks)

    def test_and_the_quick_one_is_taken_for_what_most_venues_send(self, monkeypatch: pytest.MonkeyPatch) -> None:
        bids = b'[["61837.63000000","3.78826000"],["61837.60000000","0.00000000"]]'
        asks = b'[["61838.00000000","0.00010000"]]'
        expected = naive_both(bids, asks)
        monkeypatch.setattr(levels_module, "read_levels", None)
        for _ in range(2):
            assert read_both(EvenLevels(LISTING), bids, asks) == expected

    def test_on_sides_that_are_damaged(self) -> None:
        even = EvenLevels(LISTING)
        texts = [text for text in damaged(seed=3, count=4000) if is_json(text)]
        for bids, asks in pairwise(texts):
            assert read_both(even, bids, asks) == naive_both(bids, asks), (bids, asks)

    @given(
        books=st.lists(
            st.tuples(st.integers(0, 10), st.integers(0, 12), st.lists(LEVEL, max_size=6), st.lists(LEVEL, max_size=6)),
            max_size=4,
        )
    )
    @examples(80)
    def test_whatever_the_frames_before_looked_like(
        self, books: list[tuple[int, int, list[tuple[int, int]], list[tuple[int, int]]]]
    ) -> None:
        """The quick one remembers how the last frame was written; decimals may change with the next."""
        even = EvenLevels(LISTING)
        for price_decimals, quantity_decimals, *both in books:
            bids, asks = (even_side(side, price_decimals, quantity_decimals) for side in both)
            assert read_both(even, bids, asks) == naive_both(bids, asks)


def read_both(even: EvenLevels, bids: bytes, asks: bytes) -> tuple[Levels, Levels] | None:
    """None for what is refused; any other error fails the test."""
    try:
        return even.read(Raw(bids), Raw(asks))
    except FrameRefused as error:
        assert error.symbol == "BTCUSDT"
        return None


def naive_both(bids: bytes, asks: bytes) -> tuple[Levels, Levels] | None:
    both = naive(bids), naive(asks)
    are_json = all(map(is_json, (bids, asks)))
    return both if are_json and both[0] is not None and both[1] is not None else None  # type: ignore[return-value]


def even_side(levels: list[tuple[int, int]], price_decimals: int, quantity_decimals: int) -> bytes:
    rows = [
        f'["{Decimal(price).scaleb(-price_decimals):f}","{Decimal(quantity).scaleb(-quantity_decimals):f}"]'
        for price, quantity in levels
    ]
    return ("[" + ",".join(rows) + "]").encode()


class TestRefusal:
    @pytest.mark.parametrize(
        "text",
        [
            *(b"", b"null", b"{}", b'"[]"', b"1", b"[[]]", b"[[1]]", b"[[1,2,3]]", b"[[[1,2]]]", b"[[1,2],3]", b"[{}]"),
            *(b"[[-1,2]]", b"[[1,-2]]", b'[["+1","2"]]', b'[["NaN","1"]]', b'[["inf","1"]]', b"[[null,1]]"),
            *(b'[["0","1"]]', b'[["0.000","1"]]', b"[[0e5,1]]", b'[["1e48","1"]]', b'[["1","1e48"]]'),
            *(b'[["0.000000001","1"]]', b'[["1","0.00000000001"]]', b'[["1_0","1"]]', b'[["\xef\xbc\x91","1"]]'),
            b'[["' + b"1" * 65 + b'","1"]]',
            b"[" + b",".join([b'["1.0","1.0"]'] * 4 + [b'["0.0","1.0"]']) + b"]",
        ],
    )
    def test_of_what_is_no_array_of_prices_and_quantities(self, text: bytes) -> None:
        assert read(text) is None

    def test_says_whose_book_misses_the_levels(self) -> None:
        with pytest.raises(FrameRefused, match=r"levels of BTCUSDT: .*finer") as caught:
            read_levels(Raw(b'[["1","0.00000000001"]]'), LISTING)
        assert caught.value.symbol == "BTCUSDT"


class TestLevels:
    def test_keep_the_venues_order_and_repetitions(self) -> None:
        assert read(b'[["2","1"],["1","0"],["2","3"]]') == Levels(
            [2 * 10**8, 10**8, 2 * 10**8], [10**10, 0, 3 * 10**10]
        )

    def test_finer_than_the_listings_tick_are_read(self) -> None:
        ruled = Listing("venue", "BTCUSDT", INSTRUMENT, tick=INSTRUMENT.price("0.01"))
        assert read_levels(Raw(b'[["0.00000001","1"]]'), ruled).prices == [1]

    def test_of_a_third_column_are_read_without_it(self) -> None:
        assert read(b'[["60000.20","1.1000","3"]]', 3) == Levels([6000020000000], [11000000000])
        assert read(b'[["60000.20","1.1000","3"]]', 2) is None

    def test_of_an_empty_side_are_none(self) -> None:
        for text in (b"[]", b"[ ]", b" [\n] "):
            assert read(text) == Levels([], [])


class TestLevelsThatAreObjects:
    """Each number was found by its name, and comes as the JSON that was written for it."""

    @given(st.lists(st.tuples(ANY_TEXT, ANY_TEXT, st.booleans()), max_size=8))
    @examples(100)
    def test_are_read_as_those_in_lists_are(self, rows: list[tuple[str, str, bool]]) -> None:
        written = [[f'"{cell}"' if quoted else cell for cell in (price, quantity)] for price, quantity, quoted in rows]
        text = ("[" + ",".join(f"[{price},{quantity}]" for price, quantity in written) + "]").encode()
        cells = [(Raw(price.encode()), Raw(quantity.encode())) for price, quantity in written]
        try:
            found: Levels | None = read_cells(cells, LISTING)
        except FrameRefused as error:
            assert error.symbol == "BTCUSDT"
            found = None
        assert found == naive(text)

    @pytest.mark.parametrize("odd", [b"null", b"[1]", b'{"a":1}', b"-1", b'""', b'"1 2"', b"true", b'"\\u0031"'])
    def test_are_refused_when_a_cell_is_no_number(self, odd: bytes) -> None:
        for cell in ((Raw(odd), Raw(b"1")), (Raw(b"1"), Raw(odd))):
            with pytest.raises(FrameRefused, match="levels of BTCUSDT"):
                read_cells([cell], LISTING)

    def test_a_price_of_0_is_a_level_that_is_not_there_only_where_the_venue_writes_it_so(self) -> None:
        cells = [(Raw(b"0"), Raw(b"0.0")), (Raw(b"2"), Raw(b"1"))]
        assert read_cells(cells, LISTING, skips_free=True) == Levels([2 * 10**8], [10**10])
        with pytest.raises(FrameRefused, match="a price of 0"):
            read_cells(cells, LISTING)
