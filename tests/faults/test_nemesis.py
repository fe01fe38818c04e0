"""Everything at once for a short while. `make soak` does it for longer."""

from __future__ import annotations

import nemesis
import pytest


@pytest.mark.slow
@pytest.mark.postgres
def test_a_short_nemesis_finds_nothing_wrong() -> None:
    assert nemesis.main(0.3, 7, ray=False) == []
