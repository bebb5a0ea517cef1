"""How far each venue is used: switched by people and by files, and drained before it is left."""

from __future__ import annotations

from dataclasses import replace

from aggregator.domain.effects import RequestAnswered, VenueTurned
from aggregator.domain.switches import VenueState, VenueSwitched
from aggregator.engine.children import Children
from aggregator.engine.order_state import OrderState
from aggregator.engine.turn import Turn
from aggregator.engine.venue_accounts import VenueAccounts


class Switches:
    def __init__(self, state: OrderState, turn: Turn, accounts: VenueAccounts, children: Children) -> None:
        self._state = state
        self._turn = turn
        self._accounts = accounts
        self._children = children

    def switch(self, event: VenueSwitched) -> None:
        """A venue that is to be off while orders are live there drains first, and what rests there is canceled: nothing
        of ours is left where nobody asks after it any more."""
        live = list(self._state.live_children(event.venue))
        before = self._state.switches.get(event.venue)
        if event.state is VenueState.OFF and live:
            for child in live:
                self._children.want_cancel(child, event.received_ns)
            event = replace(event, state=VenueState.DRAINING)
        self._state.switches[event.venue] = event
        if event.has_account:
            self._accounts.joined(event.venue, event.received_ns)
        if before is not None and before.state is VenueState.OFF and event.state is not VenueState.OFF:
            self._accounts.returned(event.venue, event.received_ns)
        self._turn.tell(RequestAnswered())
        self._turn.tell(VenueTurned(event.venue))

    def settle(self, now_ns: int) -> None:
        """What has drained is off."""
        for venue, switched in self._state.switches.items():
            if switched.state is not VenueState.DRAINING or next(self._state.live_children(venue), None) is not None:
                continue
            self._state.switches[venue] = replace(switched, received_ns=now_ns, state=VenueState.OFF)
            self._turn.tell(VenueTurned(venue))
