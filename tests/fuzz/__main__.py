"""Throw broken input at every connector for a while. Exit code 1, with the input that did it, when one gives way."""

import argparse
import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import count, islice

from tests.fuzz.fuzzer import Finding, Fuzzer, MakeMarketData, found_connectors


def main(arguments: Sequence[str] | None = None, connectors: Mapping[str, MakeMarketData] | None = None) -> int:
    connectors = found_connectors() if connectors is None else connectors
    options = _options(arguments, connectors)
    chosen = {name: connectors[name] for name in options.connector or sorted(connectors)}
    fuzzer = Fuzzer(options.seed)
    finding = _search(fuzzer, chosen, options)
    tally = fuzzer.tally
    if finding is not None:
        print(finding)
    print(
        f"fuzz: {', '.join(chosen) or 'no connector'}: {tally.rounds} rounds, {tally.heard} inputs of which"
        f" {tally.broken} broken, {tally.rejected} rejected, {tally.proven} books proven true,"
        f" {'a finding' if finding else 'no finding'}, seed {options.seed}"
    )
    return 1 if finding else 0


def _search(fuzzer: Fuzzer, chosen: Mapping[str, MakeMarketData], options: argparse.Namespace) -> Finding | None:
    """The first finding, the connectors taking turns."""
    end = time.monotonic() + options.seconds
    numbers = range(options.round, options.round + 1) if options.round is not None else count()
    for number in islice(numbers, options.rounds):
        for name, make in chosen.items():
            for finding in fuzzer.rounds(name, make, range(number, number + 1)):
                return finding
        if options.rounds is None and time.monotonic() >= end:
            break
    return None


def _options(arguments: Sequence[str] | None, connectors: Mapping[str, MakeMarketData]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=30, help="how long to go on (30)")
    parser.add_argument("--rounds", type=int, help="so many rounds of each connector, however long they take")
    parser.add_argument("--seed", default=None, help="what decides everything; printed, and made up unless given")
    parser.add_argument("--connector", action="append", choices=sorted(connectors), help="this one only; repeatable")
    parser.add_argument("--round", type=int, help="this one round only, to see a finding again")
    options = parser.parse_args(arguments)
    options.seed = options.seed or secrets.token_hex(4)
    return options


if __name__ == "__main__":
    sys.exit(main())
