"""The command `aggregator`: words to calls, errors to exit codes.

Exit codes: 0 good, 1 a check found faults, 2 usage or configuration error, 3 could not start. What was
asked for goes to stdout, everything else to stderr.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from aggregator.api.client import Answered, Unreachable
from aggregator.cli import books, configuration, orders, recordings, records, services, venues
from aggregator.cli.console import GOOD, NOT_STARTED, REFUSED
from aggregator.domain.errors import CaptureRefused, ConfigurationRefused


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except ConfigurationRefused as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)
        return REFUSED
    except (CaptureRefused, Answered) as error:
        print(error, file=sys.stderr)
        return REFUSED
    except Unreachable as error:
        print(error, file=sys.stderr)
        return NOT_STARTED
    except BrokenPipeError:
        # Whoever read our output has gone, as `head` does. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return GOOD
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aggregator", description="Partner venues' books as one, and a router over it."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for part in (books, orders, services, recordings, records, configuration, venues):
        part.add_commands(commands)
    return parser
