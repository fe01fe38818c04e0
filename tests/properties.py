"""How many examples a property test tries: the same few in `make test`, many new ones in `make soak`."""

from __future__ import annotations

import os

FACTOR = int(os.environ.get("SOAK_FACTOR", "1"))


def examples(count: int) -> int:
    """`count` examples in a test run, and more in a soak."""
    return count * FACTOR
