"""Why a worker on Ray died: by itself, for its memory, or with its machine."""

from __future__ import annotations

import pytest

from automl.contracts import Ending

pytestmark = pytest.mark.ray


@pytest.mark.parametrize(
    ("text", "ending"),
    [
        ("its worker died: The actor died because its node has died. Node Id: 12", Ending.PREEMPTED),
        ("its worker died: The node was terminated unexpectedly", Ending.PREEMPTED),
        ("its worker died: worker process has died. Worker exit type: SYSTEM_ERROR", Ending.LOST),
        ("its worker died", Ending.LOST),
    ],
)
def test_the_text_says_when_the_machine_is_gone(text: str, ending: Ending) -> None:
    from automl.executors.tune.bridge import how_lost  # imports Ray, which only this test needs

    assert how_lost(None, text) is ending


def test_the_error_says_when_memory_was_the_reason() -> None:
    import ray

    from automl.executors.tune.bridge import how_lost

    assert how_lost(ray.exceptions.OutOfMemoryError("killed"), "its worker died") is Ending.OOM
    assert how_lost(ray.exceptions.NodeDiedError("gone"), "its worker died") is Ending.PREEMPTED
