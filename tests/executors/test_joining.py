"""Why a cluster cannot be joined, in words of its user's."""

from __future__ import annotations

import platform

import pytest
import ray

from automl.contracts import RunError, UserError
from automl.executors.tune import cluster, guard
from automl.executors.tune.joining import check_address, refusal


def test_ray_client_is_refused_with_what_to_do() -> None:
    with pytest.raises(
        UserError, match=r"host:port .* but got 'ray://head:10001'.*automl submit FILE --address"
    ):
        check_address("ray://head:10001")
    for fine in (None, "auto", "head:6379"):
        check_address(fine)


def test_another_version_and_a_missing_token_get_their_own_advice() -> None:
    mismatch = RuntimeError(
        "Version mismatch: The cluster was started with:\n    Ray: 2.59.0\n    Python: 3.12.1"
    )
    text = refusal("head:6379", mismatch)
    assert "Ray: 2.59.0 Python: 3.12.1" in text and "\n" not in text
    assert text.endswith(f"the same Python ({platform.python_version()} is here) on every node")
    text = refusal("head:6379", ConnectionError("no answer"))
    assert "RAY_AUTH_MODE=token and the same RAY_AUTH_TOKEN" in text


@pytest.mark.parametrize("kind", [Exception, RuntimeError, ConnectionError])  # Ray raises plain ones, too
def test_a_cluster_of_our_own_that_does_not_start_may_start_later(
    kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[str] = []

    class Guard:
        def __init__(self, sessions: str) -> None:
            self.leave = lambda: left.append(sessions)

    def init(**given: object) -> None:
        raise kind("The current node timed out during startup.")

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(guard, "Guard", Guard)
    with pytest.raises(RunError, match=r"^Ray must start .*: The current node timed out .*; run again"):
        cluster.connect(None)
    assert len(left) == 1 and not cluster._guards, "what had begun is ended"
