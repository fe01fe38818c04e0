"""Genotypes that do not fit their space, and alarms that a space cannot ring."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl.config import load_study
from automl.contracts import UserError

STUDY = """
name: cells
task: {dataset: digits, metric: accuracy}
space: nasbench201
evaluator: network
budget: {trials: 2}
arms: {darts: {evaluator: {supernet: {method: darts}}}}
"""
ALARM = "arms={darts: {evaluator: {supernet: {alarms: {skips: 0.5}}}}}"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("space={name: nasbench201, fix: {edge_0_1: conv}}", "fix 'edge_0_1': must be one of ['none', 'skip"),
        ("space={name: nasbench201, fix: {edge_0_9: none}}", "fix 'edge_0_9': must be one of the parameters"),
        (
            'space={name: darts, fix: {normal_inputs_3: "0,1", normal_2_3: skip_connect}}',
            "fix 'normal_2_3': must be a parameter that is used, but it needs "
            "{'normal_inputs_3': ['0,2', '1,2']}; leave it out, or correct what else is fixed",
        ),
    ],
)
def test_a_genotype_that_does_not_fit_its_space(tmp_path: Path, override: str, message: str) -> None:
    (tmp_path / "cells.yaml").write_text(STUDY)
    with pytest.raises(UserError, match=r"space\.fix: ") as error:
        load_study(tmp_path / "cells.yaml", [override])
    assert message in str(error.value)


def test_a_limit_on_skip_connections_needs_some(tmp_path: Path) -> None:
    """By default the alarm is just silent in a space without them, as RobustDARTS S4 is."""
    (tmp_path / "cells.yaml").write_text(STUDY)
    load_study(tmp_path / "cells.yaml", [ALARM])
    load_study(tmp_path / "cells.yaml", ["space=robustdarts_s4"])
    with pytest.raises(UserError) as error:
        load_study(tmp_path / "cells.yaml", [ALARM, "space=robustdarts_s4"])
    assert "arms.darts.evaluator.supernet.alarms.skips: must be left out for a space without" in str(
        error.value
    )
