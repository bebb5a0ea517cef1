"""Whose orders somebody may see, and how they are found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from aggregator.api.auth import Caller, refuse_without
from aggregator.api.order_documents import fills_of
from aggregator.api.problems import Code, refused
from aggregator.config.keys import Scope
from aggregator.domain.order import Fill, ParentOrder

BY_CLIENT_ID = "client:"

EVERYONE = "*"
"""In place of an account: all of them."""

OVERSEE: tuple[Scope, ...] = ("oversight", "admin")
"""Who may see other accounts' orders."""


class Orders(Protocol):
    """What is known of orders, as the engine keeps it."""

    @property
    def parents(self) -> Mapping[str, ParentOrder]: ...

    def find(self, account: str, client_order_id: str) -> ParentOrder | None: ...

    def fills(self, account: str) -> Iterable[Fill]:
        """Newest last; those of all accounts for EVERYONE."""
        ...


def account_of(caller: Caller, asked: str | None, scopes: Iterable[Scope] = OVERSEE) -> str:
    """Whose orders are meant: the caller's own, or those of who was asked for, for which one of these scopes is needed.
    Raises Problem."""
    if asked is None or asked == caller.account:
        return caller.account
    refuse_without(scopes, caller)
    return asked


def is_of(parent: ParentOrder, account: str) -> bool:
    return account in (EVERYONE, parent.terms.account)


class Lookup:
    """Orders by their names, and in pages."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders

    def own(self, name: str, caller: Caller, asked: str | None = None) -> ParentOrder:
        """By order id, or by `client:` and the client order id. Whoever oversees finds everyone's by order id.
        Another's order is answered as one that is not there. Raises Problem."""
        account = account_of(caller, asked)
        if name.startswith(BY_CLIENT_ID):
            parent = self._orders.find(account, name.removeprefix(BY_CLIENT_ID))
        else:
            oversees = asked is None and not set(OVERSEE).isdisjoint(caller.scopes)
            account = EVERYONE if oversees else account
            parent = self._orders.parents.get(name)
        if parent is None or not is_of(parent, account):
            whose = "there is" if account == EVERYONE else f"account {account} has"
            detail = f"{whose} no order {name[:80]!r} that is still kept here; give its order_id, or client: and its"
            raise refused(Code.UNKNOWN_ORDER, f"{detail} client_order_id, which is its account's own")
        return parent

    def all(self, account: str) -> list[ParentOrder]:
        """The newest first."""
        found = [parent for parent in self._orders.parents.values() if is_of(parent, account)]
        return sorted(found, key=lambda parent: (parent.received_ns, parent.order_id), reverse=True)

    def fills(self, account: str, order: ParentOrder | None) -> list[Fill]:
        """The newest first."""
        return list(self._orders.fills(account) if order is None else fills_of(order))[::-1]
