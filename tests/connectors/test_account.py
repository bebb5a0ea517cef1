"""Whatever a venue does, an order is sent at most once, and everything that is asked comes to a report."""

import json
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.config.venues import VenueSettings
from aggregator.domain.errors import BrokenInvariant, ConfigurationRefused, VenueDefunct
from aggregator.domain.events import FrameRejected, Refused
from aggregator.domain.lifecycle import Word
from aggregator.domain.order_events import (
    About,
    AccountStream,
    BalancesRead,
    ExecutionReport,
    OpenOrdersRead,
)
from connectors.account import FEES_EVERY_NS, AccountMachine, Request, account_machine
from connectors.calls import BOUNDS, PLACE_PATIENCE_NS, Rank
from connectors.contract import Habits, Reply
from connectors.outcomes import AccountEvent
from connectors.private_stream import DOUBT_NS, READY_PATIENCE_NS
from connectors.sockets import Connect, Hangup, Transmit
from connectors.trading import Allowance, Cost, Credentials, Errand, OrderEntry, Purpose
from tests.simulation.one_venue import settings_of
from tests.twins.examples import examples
from tests.twins.order_entry import SECOND, VENUE, TwinOrderEntry, child

START_NS = 1_780_000_000 * SECOND
FIRST = (Errand(Purpose.ACCOUNT),)
WORKING = {"word": "working"}


def settings(*, private: bool = False, **endpoints: str | None) -> VenueSettings:
    file = settings_of(VENUE, ["BTC/USDT"])
    update = {"private": "ws://simulated/private" if private else None, **endpoints}
    return file.model_copy(update={"endpoints": file.endpoints.model_copy(update=update)})


class Desk:
    """An account machine, what it asked for, and what it told."""

    def __init__(self, entry: TwinOrderEntry | None = None, *, private: bool = False, is_started: bool = True) -> None:
        self.entry = entry or TwinOrderEntry()
        self.now_ns = START_NS
        self.machine = AccountMachine(settings(private=private), self.entry, "simulated", {}, lambda: 0)
        self.events: list[AccountEvent] = []
        self.requests: list[Request] = []
        self.socket_actions: list[Any] = []
        self.answered: set[int] = set()
        if is_started:
            self.tell(self.machine.start(self.now_ns))

    def tell(self, events: Sequence[AccountEvent]) -> Sequence[AccountEvent]:
        self.events += events
        for action in self.machine.take_actions():
            if isinstance(action, Request):
                self.requests.append(action)
            else:
                self.socket_actions.append(action)
        return events

    def place(self, number: int = 1) -> Sequence[AccountEvent]:
        return self.tell(self.machine.place(child(number), self.now_ns))

    def cancel(self, number: int = 1) -> Sequence[AccountEvent]:
        return self.tell(self.machine.cancel(child(number), "", self.now_ns))

    def ask_order(self, number: int = 1) -> Sequence[AccountEvent]:
        return self.tell(self.machine.ask_order(child(number), "", START_NS, self.now_ns))

    def ask_fills(self, number: int = 1) -> Sequence[AccountEvent]:
        return self.tell(self.machine.ask_fills(child(number), "7", START_NS, self.now_ns))

    def ask_account(self) -> Sequence[AccountEvent]:
        return self.tell(self.machine.ask_account(self.now_ns))

    def answer(
        self, content: Any = None, *, status: int = 200, was_sent: bool = True, which: int = -1, **headers: str
    ) -> Sequence[AccountEvent]:
        """Answer a request, the newest by default."""
        body = content if isinstance(content, bytes) else json.dumps(content if content is not None else {}).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        reply = Reply("/", status, body, named, was_sent)
        self.answered.add(self.requests[which].number)
        return self.tell(self.machine.answered(self.requests[which].number, reply, self.now_ns))

    def wait(self, duration_ns: int) -> None:
        """Let time pass, waking the machine whenever it wants to be."""
        end_ns = self.now_ns + duration_ns
        while (wake_ns := self.machine.wake_at_ns()) is not None and wake_ns <= end_ns:
            self.now_ns = max(self.now_ns, wake_ns)
            self.tell(self.machine.woken(self.now_ns))
            next_ns = self.machine.wake_at_ns()
            assert next_ns is None or next_ns > self.now_ns, "it wants to be woken for what it has just done"
        self.now_ns = end_ns

    def open_stream(self) -> int:
        """Let the newest socket open; returns its number."""
        socket = next(action.socket for action in reversed(self.socket_actions) if isinstance(action, Connect))
        self.tell(self.machine.opened(socket, self.now_ns))
        return int(socket)

    def hear(self, frame: str, socket: int = 1) -> Sequence[AccountEvent]:
        return self.tell(self.machine.received(socket, frame, self.now_ns))

    @property
    def paths(self) -> list[str]:
        return [request.call.path for request in self.requests]

    def reports(self, about: About | None = None) -> list[tuple[str, Word]]:
        return [
            (event.child_id[-3:], event.word)
            for event in self.events
            if isinstance(event, ExecutionReport) and about in (None, event.about)
        ]

    def told(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def connects(self) -> int:
        return sum(isinstance(action, Connect) for action in self.socket_actions)

    @property
    def streams(self) -> list[tuple[bool, str]]:
        return [(event.is_live, event.reason) for event in self.told(AccountStream)]


def one_at_a_time(*names: str, every_ns: int = SECOND) -> TwinOrderEntry:
    return TwinOrderEntry({name: Allowance(1, every_ns) for name in names})


class Dear(TwinOrderEntry):
    """Where an order costs twice what a question does."""

    def costs(self, errand: Errand) -> Sequence[Cost]:
        return [Cost("all", 2 if errand.purpose is Purpose.PLACE else 1)]


class TestMaking:
    def test_is_told_the_host_that_is_really_called(self) -> None:
        made: list[Any] = []

        def new(venue: str, listings: Any, credentials: Credentials, host: str) -> OrderEntry:
            made.append((venue, credentials.key, host))
            return TwinOrderEntry()

        machine = account_machine(settings(rest="http://127.0.0.1:81/api"), new, {}, Credentials("k", "s"), lambda: 0)
        assert made == [(VENUE, "k", "127.0.0.1:81")]
        assert machine.host == "127.0.0.1:81"

    def test_needs_an_http_root(self) -> None:
        with pytest.raises(ConfigurationRefused, match="orders go to the venue's HTTP root"):
            account_machine(settings(rest=None), lambda *_: TwinOrderEntry(), {}, Credentials("", ""), lambda: 0)

    def test_a_venue_that_has_ceased_has_no_accounts(self) -> None:
        with pytest.raises(VenueDefunct):
            account_machine(settings_of("ftx", ()), lambda *_: TwinOrderEntry(), {}, Credentials("", ""), lambda: 0)


class TestAPlace:
    def test_leaves_at_once_and_is_reported_as_the_venue_says(self) -> None:
        desk = Desk()
        assert desk.place() == []
        assert desk.paths == ["/place/abcdef0000000001-001/"]
        desk.answer(WORKING)
        assert desk.reports() == [("001", Word.WORKING)]

    def test_is_signed_when_it_leaves(self) -> None:
        desk = Desk(one_at_a_time("place"))
        desk.place(1)
        desk.place(2)
        desk.wait(2 * SECOND)
        assert desk.entry.signed_ns == [START_NS, START_NS + SECOND]

    @pytest.mark.parametrize(("was_sent", "word"), [(False, Word.NOT_SENT), (True, Word.IN_DOUBT)])
    def test_without_an_answer_says_whether_it_may_have_arrived(self, was_sent: bool, word: Word) -> None:
        desk = Desk()
        desk.place()
        (report,) = desk.answer(b"the reason", status=0, was_sent=was_sent)
        assert isinstance(report, ExecutionReport)
        assert (report.word, report.about, report.reason) == (word, About.PLACE, "the reason")

    @pytest.mark.parametrize("answer", [b"<html>", b"{}", b"[]"])
    def test_whose_answer_means_nothing_is_in_doubt(self, answer: bytes) -> None:
        desk = Desk()
        desk.place()
        desk.answer(answer)
        assert desk.reports() == [("001", Word.IN_DOUBT)]
        assert len(desk.told(FrameRejected)) == (answer == b"<html>")

    def test_is_never_sent_again(self) -> None:
        desk = Desk()
        desk.place()
        desk.answer(b"", status=0, was_sent=False)
        desk.wait(600 * SECOND)
        assert len(desk.requests) == 1

    def test_that_cannot_leave_in_time_is_given_up(self) -> None:
        desk = Desk(one_at_a_time("place", every_ns=60 * SECOND))
        desk.place(1)
        desk.place(2)
        desk.wait(PLACE_PATIENCE_NS - 1)
        assert desk.reports() == []
        desk.wait(1)
        assert desk.reports() == [("002", Word.NOT_SENT)]
        desk.wait(120 * SECOND)
        assert len(desk.requests) == 1

    def test_beyond_what_may_wait_is_given_up_at_once(self) -> None:
        desk = Desk(one_at_a_time("place", every_ns=60 * SECOND))
        for number in range(2 + BOUNDS[Rank.PLACE].waiting):
            desk.place(number)
        assert [word for _, word in desk.reports()] == [Word.NOT_SENT]

    def test_beyond_what_may_be_on_the_wire_waits_for_an_answer(self) -> None:
        desk = Desk()
        for number in range(1 + BOUNDS[Rank.PLACE].on_wire):
            desk.place(number)
        assert len(desk.requests) == BOUNDS[Rank.PLACE].on_wire
        desk.answer(WORKING, which=0)
        assert len(desk.requests) == BOUNDS[Rank.PLACE].on_wire + 1

    def test_waits_for_nothing_before_the_account_is_known(self) -> None:
        desk = Desk(TwinOrderEntry(first=FIRST))
        desk.place()
        assert desk.reports() == [("001", Word.NOT_SENT)]
        assert desk.paths == ["/account//"]

    def test_that_the_venue_cannot_be_asked_for_has_not_left(self) -> None:
        desk = Desk(TwinOrderEntry(unaskable=frozenset({Purpose.PLACE})))
        desk.place()
        assert desk.reports() == [("001", Word.NOT_SENT)]
        assert desk.requests == []

    def test_of_a_child_that_is_being_placed_is_a_defect(self) -> None:
        desk = Desk()
        desk.place()
        with pytest.raises(BrokenInvariant, match="a second time"):
            desk.place()


class TestACancel:
    def test_leaves_before_places_that_wait(self) -> None:
        desk = Desk(one_at_a_time("all", every_ns=SECOND // 2))
        desk.ask_order(1)
        desk.place(2)
        desk.cancel(3)
        desk.wait(SECOND)
        assert [path.split("/")[1] for path in desk.paths] == ["order", "cancel", "place"]

    def test_of_an_order_that_waits_keeps_it_from_leaving(self) -> None:
        desk = Desk(one_at_a_time("place"))
        desk.place(1)
        desk.place(2)
        desk.cancel(2)
        desk.wait(60 * SECOND)
        assert desk.reports(About.PLACE) == [("002", Word.NOT_SENT)]
        assert desk.reports(About.CANCEL) == [("002", Word.NOT_SENT)]
        assert desk.paths == ["/place/abcdef0000000001-001/"]

    def test_without_an_answer_is_in_doubt(self) -> None:
        desk = Desk()
        desk.cancel()
        desk.answer(b"", status=0)
        assert desk.reports(About.CANCEL) == [("001", Word.IN_DOUBT)]

    def test_that_cannot_leave_is_told_so(self) -> None:
        desk = Desk(one_at_a_time("cancel", every_ns=60 * SECOND))
        desk.cancel(1)
        desk.cancel(2)
        desk.wait(BOUNDS[Rank.CANCEL].patience_ns)
        assert desk.reports(About.CANCEL) == [("002", Word.NOT_SENT)]


class TestAQuestion:
    @pytest.mark.parametrize("was_sent", [False, True])
    def test_for_an_order_without_an_answer_leaves_it_in_doubt(self, was_sent: bool) -> None:
        desk = Desk()
        desk.ask_order()
        desk.answer(b"", status=0, was_sent=was_sent)
        assert desk.reports(About.ASK) == [("001", Word.IN_DOUBT)]

    def test_that_goes_on_is_reported_on_at_its_end(self) -> None:
        desk = Desk()
        desk.ask_order()
        desk.answer({"next": "2"})
        assert desk.reports() == []
        assert desk.paths[-1] == "/order/abcdef0000000001-001/2"
        desk.answer({"word": "missing"})
        assert desk.reports(About.ASK) == [("001", Word.MISSING)]

    def test_does_not_keep_an_order_waiting(self) -> None:
        desk = Desk(one_at_a_time("all"))
        desk.ask_order(1)
        desk.ask_order(2)
        desk.place(3)
        desk.wait(SECOND)
        assert [path.split("/")[1] for path in desk.paths] == ["order", "place"]

    def test_does_not_use_up_what_an_order_saves_for(self) -> None:
        desk = Desk(Dear({"all": Allowance(2, SECOND)}))
        for act in (desk.ask_order, desk.place, desk.ask_order):
            act()
        desk.wait(SECOND)
        desk.wait(SECOND)
        assert [path.split("/")[1] for path in desk.paths] == ["order", "place", "order"]

    def test_takes_nothing_of_a_budget_that_an_order_does_not_need(self) -> None:
        desk = Desk(one_at_a_time("place", every_ns=60 * SECOND))
        desk.place(1)
        desk.place(2)
        desk.ask_order(3)
        assert [path.split("/")[1] for path in desk.paths] == ["place", "order"]

    @pytest.mark.parametrize("failure", [{"status": 0}, {"status": 503}, {"content": b"<html>", "status": 502}])
    def test_for_the_account_is_asked_again_a_few_times(self, failure: dict[str, Any]) -> None:
        desk = Desk()
        desk.ask_fills()
        for _ in range(10):
            if desk.requests[-1].number not in desk.answered:
                desk.answer(**failure)
            desk.wait(31 * SECOND)
        assert desk.paths == ["/fills/abcdef0000000001-001/"] * 6
        (given_up,) = desk.told(Refused)
        assert "given up after 6 attempts" in given_up.reason

    def test_for_the_account_is_answered_in_the_end(self) -> None:
        desk = Desk()
        desk.ask_account()
        assert desk.paths == ["/balances//", "/open_orders//"]
        desk.answer(b"", status=0, which=0)
        desk.answer(which=1)
        desk.wait(SECOND)
        desk.answer()
        assert len(desk.told(BalancesRead)) == len(desk.told(OpenOrdersRead)) == 1
        assert desk.told(Refused) == []

    def test_that_waits_already_is_not_asked_twice(self) -> None:
        desk = Desk(one_at_a_time("all"))
        for _ in range(5):
            desk.ask_account()
        desk.wait(60 * SECOND)
        assert desk.paths == ["/balances//", "/open_orders//", "/balances//"]

    def test_beyond_what_may_wait_is_told_so(self) -> None:
        desk = Desk(one_at_a_time("order", every_ns=3600 * SECOND))
        for number in range(2 + BOUNDS[Rank.QUESTION].waiting):
            desk.ask_order(number % 1000)
        assert [word for _, word in desk.reports()] == [Word.IN_DOUBT]


class TestTheStart:
    def test_asks_first_what_must_be_known_for_ever(self) -> None:
        desk = Desk(TwinOrderEntry(first=FIRST), private=True)
        desk.ask_order()
        for _ in range(20):
            desk.answer(b"", status=0)
            desk.wait(30 * SECOND)
        assert set(desk.paths) == {"/account//"}
        assert len(desk.requests) == 21
        assert desk.connects == 0
        assert "asked again" in desk.told(Refused)[0].reason
        desk.answer()
        assert desk.machine.status(desk.now_ns).is_open
        assert desk.connects == 1
        desk.place()
        assert desk.paths[-1] == "/place/abcdef0000000001-001/"

    def test_waits_for_the_last_part_of_what_must_be_known(self) -> None:
        desk = Desk(TwinOrderEntry(first=FIRST))
        desk.answer({"next": "2"})
        assert not desk.machine.status(desk.now_ns).is_open
        desk.answer()
        assert desk.machine.status(desk.now_ns).is_open

    def test_questions_asked_before_it_wait(self) -> None:
        desk = Desk(is_started=False)
        desk.ask_account()
        desk.ask_order()
        desk.place()
        assert desk.requests == []
        assert desk.reports() == [("001", Word.NOT_SENT)]
        desk.tell(desk.machine.start(desk.now_ns))
        assert desk.paths == ["/balances//", "/open_orders//", "/order/abcdef0000000001-001/"]

    def test_fees_are_asked_for_each_listing_now_and_then(self) -> None:
        listings = {listing.symbol: listing for listing in settings().fixed_listings(lambda name: child().instrument)}
        machine = AccountMachine(settings(), TwinOrderEntry(), "simulated", listings, lambda: 0)
        machine.start(START_NS)
        (request,) = machine.take_actions()
        assert isinstance(request, Request)
        assert request.call.path == "/fees/BTCUSDT/"
        machine.answered(request.number, Reply("/", 200, b"{}"), START_NS)
        assert machine.wake_at_ns() == START_NS + FEES_EVERY_NS


class TestTheBreaker:
    @pytest.mark.parametrize("refusal", [{"status": 429}, {"status": 418}, {"status": 503, "retry_after": "60"}])
    def test_lets_nothing_pass_and_keeps_no_order(self, refusal: dict[str, Any]) -> None:
        desk = Desk(one_at_a_time("place"))
        desk.place(1)
        desk.place(2)
        desk.answer({"word": "not_sent"}, **refusal)
        assert desk.reports() == [("001", Word.NOT_SENT), ("002", Word.NOT_SENT)]
        desk.place(3)
        desk.ask_account()
        assert len(desk.requests) == 1
        assert desk.reports()[-1] == ("003", Word.NOT_SENT)
        desk.wait(60 * SECOND - 1)
        assert len(desk.requests) == 1
        desk.wait(1)
        assert desk.paths[1:] == ["/balances//", "/open_orders//"]
        desk.place(4)
        assert len(desk.requests) == 4

    def test_a_cancel_waits_for_it_to_close_if_that_is_soon(self) -> None:
        desk = Desk()
        desk.place()
        desk.answer({"word": "not_sent"}, status=429, retry_after="5")
        desk.cancel(2)
        desk.wait(5 * SECOND)
        assert desk.paths[-1] == "/cancel/abcdef0000000001-002/"


class TestTheStream:
    def test_without_an_address_never_lives_and_says_so(self) -> None:
        assert Desk(private=False).streams == [(False, Desk().streams[0][1])]

    def test_is_live_once_it_tells_everything(self) -> None:
        desk = Desk(private=True)
        desk.open_stream()
        assert desk.socket_actions == [Connect(1, "ws://simulated/private"), Transmit(1, "login")]
        assert desk.streams == []
        desk.hear("ready")
        desk.hear("ready")
        assert desk.streams == [(True, "")]
        desk.hear("report")
        assert desk.reports(About.STREAM) == [("001", Word.WORKING)]

    def test_answers_a_heartbeat_at_once(self) -> None:
        desk = Desk(private=True)
        desk.open_stream()
        desk.hear("ping")
        assert desk.socket_actions[-1] == Transmit(1, "pong")

    def test_asks_what_a_frame_gives_reason_to(self) -> None:
        desk = Desk(private=True)
        desk.open_stream()
        desk.hear("moved")
        assert desk.paths == ["/balances//"]

    def test_that_is_lost_is_told_and_opened_again_after_a_while(self) -> None:
        desk = Desk(private=True)
        desk.open_stream()
        desk.hear("ready")
        desk.tell(desk.machine.closed(1, "gone", desk.now_ns))
        assert desk.streams == [(True, ""), (False, "gone")]
        for _ in range(3):
            desk.wait(120 * SECOND)
            desk.tell(desk.machine.closed(desk.connects, "refused", desk.now_ns))
        assert desk.connects == 4
        assert desk.streams[2:] == [(False, "refused")], "the same reason again is no news"
        desk.wait(120 * SECOND)
        desk.open_stream()
        desk.hear("ready", 5)
        assert desk.streams[-1] == (True, "")

    def test_whose_login_is_refused_is_left_alone_for_long(self) -> None:
        desk = Desk(private=True)
        desk.open_stream()
        desk.hear("refused")
        assert desk.streams == [(False, "the key is unknown")]
        assert desk.socket_actions[-1] == Hangup(1, "the key is unknown")
        desk.wait(59 * SECOND)
        assert desk.connects == 1
        desk.wait(SECOND)
        assert desk.connects == 2

    def test_that_can_be_asked_for_once_more_keeps_its_socket(self) -> None:
        desk = Desk(private=True)
        desk.open_stream()
        desk.hear("ready")
        desk.hear("again")
        assert desk.socket_actions[-1] == Transmit(1, "login")
        desk.hear("ready")
        assert desk.streams == [(True, ""), (False, "the subscription has ended"), (True, "")]
        assert desk.connects == 1

    def test_that_does_not_get_ready_is_tried_anew(self) -> None:
        desk = Desk(private=True)
        desk.open_stream()
        desk.wait(READY_PATIENCE_NS)
        assert isinstance(desk.socket_actions[-1], Hangup)
        desk.wait(SECOND)
        assert desk.connects == 2
        assert desk.streams == [(False, "it was not ready within 30 s")]

    def test_is_not_believed_for_a_while_after_a_frame_that_means_nothing(self) -> None:
        desk = Desk(private=True)
        desk.open_stream()
        desk.hear("ready")
        desk.hear("nonsense")
        desk.wait(DOUBT_NS - 1)
        desk.hear("more nonsense")
        desk.wait(DOUBT_NS - 1)
        assert desk.streams == [(True, ""), (False, "a frame could not be read")]
        desk.wait(1)
        assert desk.streams[-1] == (True, "")
        assert len(desk.told(FrameRejected)) == 2
        assert desk.connects == 1

    def test_keeps_to_the_habits(self) -> None:
        habits = Habits(
            silence_ns=60 * SECOND, life_ns=3600 * SECOND, keepalive_ns=20 * SECOND, keepalive=lambda _: "alive"
        )
        desk = Desk(TwinOrderEntry(habits=habits), private=True)
        desk.open_stream()
        desk.hear("ready")
        for _ in range(359):
            desk.wait(10 * SECOND)
            desk.hear("ready")
        assert desk.socket_actions.count(Transmit(1, "alive")) == 179
        assert desk.connects == 1
        desk.wait(10 * SECOND)
        assert desk.connects == 2, "opened anew before the venue cuts it"
        desk.open_stream()
        desk.hear("ready", 2)
        desk.wait(60 * SECOND)
        assert desk.streams[-1] == (False, "nothing was heard for 60 s")

    def test_of_a_socket_that_has_gone_is_not_heard(self) -> None:
        desk = Desk(private=True)
        desk.open_stream()
        desk.tell(desk.machine.closed(1, "gone", desk.now_ns))
        assert desk.hear("report") == []
        assert desk.machine.opened(1, desk.now_ns) == []


class TestTheEnd:
    def test_says_of_everything_what_became_of_it(self) -> None:
        entry = one_at_a_time("place", "cancel", "order", every_ns=60 * SECOND)
        desk = Desk(entry, private=True)
        desk.open_stream()
        desk.hear("ready")
        for number in (1, 2):
            desk.place(number)
            desk.cancel(number + 2)
            desk.ask_order(number)
        desk.ask_account()
        desk.tell(desk.machine.stop("it is late", desk.now_ns))
        assert sorted(desk.reports(About.PLACE)) == [("001", Word.IN_DOUBT), ("002", Word.NOT_SENT)]
        assert sorted(desk.reports(About.CANCEL)) == [("003", Word.IN_DOUBT), ("004", Word.NOT_SENT)]
        assert sorted(desk.reports(About.ASK)) == [("001", Word.IN_DOUBT), ("002", Word.IN_DOUBT)]
        assert desk.streams[-1] == (False, "it is late")
        assert desk.machine.wake_at_ns() is None
        said = len(desk.events)
        for which in range(len(desk.requests)):
            desk.answer(WORKING, which=which)
        assert len(desk.events) == said, "each was reported on already"

    def test_lets_nothing_leave_after_it(self) -> None:
        desk = Desk()
        desk.tell(desk.machine.stop("it is late", desk.now_ns))
        desk.place()
        desk.cancel()
        desk.ask_order()
        assert desk.reports() == [("001", Word.NOT_SENT), ("001", Word.NOT_SENT), ("001", Word.IN_DOUBT)]
        assert desk.requests == []


class Weather:
    """A random venue: it answers late, wrongly, by refusals or not at all, and cuts the stream."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        budgets = {
            name: Allowance(self.random.randint(1, 5), self.random.choice((SECOND // 10, SECOND, 5 * SECOND)))
            for name in self.random.sample(("all", "place", "cancel", "order", "fills"), 3)
        }
        self.desk = Desk(TwinOrderEntry(budgets, self.random.choice(((), FIRST))), private=True)
        self.submitted: Counter[tuple[str, About]] = Counter()
        self.on_wire: list[int] = []
        self.seen = 0
        self.placed = 0

    def step(self) -> None:
        desk, random = self.desk, self.random
        self.on_wire += range(self.seen, len(desk.requests))
        self.seen = len(desk.requests)
        act = random.choice((self.submit, self.submit, self.reply, self.reply, self.disturb, self.pause))
        act()

    def submit(self) -> None:
        desk, random = self.desk, self.random
        kind = random.choice(("place", "place", "cancel", "ask", "fills", "account"))
        number = random.randint(1, max(1, self.placed))
        if kind == "place":
            self.placed += 1
            self.submitted[f"{self.placed:03}", About.PLACE] += 1
            desk.place(self.placed)
        elif kind == "cancel":
            self.submitted[f"{number:03}", About.CANCEL] += 1
            desk.cancel(number)
        elif kind == "ask":
            self.submitted[f"{number:03}", About.ASK] += 1
            desk.ask_order(number)
        elif kind == "fills":
            desk.ask_fills(number)
        else:
            desk.ask_account()

    def reply(self) -> None:
        if not self.on_wire:
            return
        desk, random = self.desk, self.random
        which = self.on_wire.pop(random.randrange(len(self.on_wire)))
        match random.randrange(8):
            case 0:
                desk.answer(b"", status=0, was_sent=random.random() < 0.5, which=which)
            case 1:
                desk.answer(b"<html>", status=502, which=which)
            case 2:
                desk.answer({"word": "not_sent"}, status=429, retry_after="3", which=which)
            case 3:
                desk.answer({"next": str(which)}, which=which)
            case 4:
                desk.answer({}, status=random.choice((200, 404, 500)), which=which)
            case _:
                word = random.choice(("received", "working", "ended", "rejected", "in_doubt", "missing"))
                desk.answer({"word": word}, which=which)

    def disturb(self) -> None:
        desk, random = self.desk, self.random
        socket = desk.connects
        match random.randrange(4):
            case 0 if socket:
                desk.tell(desk.machine.opened(socket, desk.now_ns))
            case 1:
                desk.hear(random.choice(("ready", "refused", "again", "nonsense", "moved", "report")), socket)
            case 2:
                desk.tell(desk.machine.closed(socket, "cut", desk.now_ns))

    def pause(self) -> None:
        self.desk.wait(self.random.choice((1, SECOND // 20, SECOND, 15 * SECOND)))


@given(seed=st.integers(0, 2**32))
@examples(200)
def test_every_order_leaves_at_most_once_and_everything_comes_to_one_report(seed: int) -> None:
    weather = Weather(seed)
    for _ in range(weather.random.randint(1, 200)):
        weather.step()
    desk = weather.desk
    desk.tell(desk.machine.stop("the end", desk.now_ns))
    reported = Counter(
        (event.child_id[-3:], event.about) for event in desk.told(ExecutionReport) if event.about is not About.STREAM
    )
    assert reported == weather.submitted
    placed = Counter(path for path in desk.paths if path.startswith("/place/"))
    assert set(placed.values()) <= {1}
    assert weather.desk.machine.status(desk.now_ns).placed == len(placed)
