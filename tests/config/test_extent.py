"""Each key of a study belongs to what a campaign is, or to what may grow or change with it."""

from __future__ import annotations

from pathlib import Path

from automl.config import EXTENT, Study, load_study
from automl.config.study import HIDDEN
from automl.ledger.study_summary import FIXED

CHANGE = {
    "executor",
    "schedule",
    "promote",
    "notify",
    "priority",
    "over_quota",
    "record",
}  # without being another study, at least in part
JUDGED = {
    "constraints",
    "memory",
    "equivalent",
    "transfer",
}  # of the identity where a study has them, and recorded beside the parameters


def test_every_key_has_its_place() -> None:
    parts = [set(FIXED), set(EXTENT), set(HIDDEN), CHANGE, JUDGED]
    assert set().union(*parts) == set(Study.model_fields)
    assert sum(map(len, parts)) == len(Study.model_fields)


def test_the_identity_has_all_that_is_fixed_and_nothing_that_grows() -> None:
    study = load_study(Path("studies/quickstart.yaml").resolve())
    assert set(FIXED) <= set(study.identity())
    assert not {*EXTENT, *HIDDEN, "schedule", "promote", "notify", "priority", "over_quota", "record"} & set(
        study.identity()
    )
