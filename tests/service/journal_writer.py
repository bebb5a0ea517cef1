"""A process that writes a journal until it is killed, and prints every number that it was told is durable."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path

from aggregator.domain.errors import JournalFailed
from aggregator.service.journal import Journal
from tests.service.order_events import CHANGED, event


async def write(path: Path) -> None:
    journal = Journal(path)
    journal.start(lambda failure: sys.exit(str(failure)))
    while True:
        for _ in range(7):
            seq = journal.last_seq + 1
            journal.append(event(seq), (), CHANGED, partial(told, seq))
        await asyncio.sleep(0)
        await journal.wait_for_room()


def told(seq: int, failure: JournalFailed | None) -> None:
    assert failure is None
    print(seq, flush=True)


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1])))
