"""Other datasets, on which winners are trained again: whether a study can be trained on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from automl.campaign.planning import check_data
from automl.config import ResolvedArm, ResolvedStudy, Transfer
from automl.contracts import UserError
from automl.data import load_task
from automl.data.parts import load_parts, require_test


def check_transfers(resolved: ResolvedStudy, transfers: Sequence[Transfer]) -> dict[str, str]:
    """The digest of each dataset, by the name of its transfer.

    Raises `UserError` for one that cannot be read, has no test part, or is refused by an evaluator that would
    train a winner on it.
    """
    study, trained = resolved.study, {name: _trained(resolved, arm) for name, arm in resolved.arms.items()}
    digests = {}
    for transfer in transfers:
        spec = transfer.task(study.task).model_dump(mode="json")
        try:
            task = load_task(spec, [study.source])
            require_test(load_parts(spec, [study.source]))
            check_data(replace(resolved, arms=trained), task)
        except UserError as error:
            raise UserError(f"transfer to {transfer.name}: {error}") from error
        digests[transfer.name] = task.digest
    return digests


def _trained(resolved: ResolvedStudy, arm: ResolvedArm) -> ResolvedArm:
    """The arm as its winner is trained: by the study's evaluator where its own one derives configurations."""
    arm = replace(arm, strategy=None)  # and with it the evaluators of proposals
    if not arm.evaluator.one_shot:
        return arm
    return replace(arm, evaluator=resolved.protocol, evaluator_spec=resolved.study.evaluator)
