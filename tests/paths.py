"""Where the tests find the repository, and the recorded traffic that may lie beside it."""

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = REPOSITORY.parent / "shared"

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is absent: it holds the recorded traffic")


def shared(*parts: str) -> Path:
    """A path under the folder of recordings; a test that opens it carries `needs_shared`."""
    return SHARED.joinpath(*parts)
