"""What the demo says when it has started."""

from __future__ import annotations

from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from aggregator.api.client import Access


def demo_greeting(access: Access, venues: list[str], seed: int, left: Path, link: str) -> RenderableType:
    """Its key is new with every start and opens nothing but these simulated venues, so it may be shown. `left` is where
    commands in the same folder find it. `link` signs a browser in, once; what is behind the # is in no request."""
    return Group(
        Text(
            f"{', '.join(venues)} are simulated on this machine (seed {seed}); the API is at {access.root}",
            style="bold",
        ),
        Text(f"  the dashboard    {access.root}/#sign-in={link}"),
        Text(f"  a moving book    .venv/bin/aggregator book BTC/USDT --watch --url {access.root}"),
        Text(f"  an order         .venv/bin/aggregator order place BTC/USDT buy 0.5 --url {access.root}"),
        Text(f"  break a venue    .venv/bin/aggregator fault {venues[0]} silent --seconds 20 --url {access.root}"),
        Text(f"  its key          AGGREGATOR_KEY={access.key} AGGREGATOR_SECRET={access.secret} ({left})"),
        Text("  stop             Ctrl-C"),
    )
