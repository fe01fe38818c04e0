"""Other datasets, on which winners are trained again: whether a study can be trained on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from automl.campaign.planning import check_data
from automl.config import ResolvedArm, ResolvedStudy, Transfer
from automl.contracts import UserError
from automl.data import load_task
from automl.data.parts import load_parts, require_test
from automl.ledger import CampaignRow
from automl.provenance import Provenance


@dataclass(frozen=True)
class OtherData:
    """A dataset of `transfer`: its digest, and what was guessed or dropped when it was read."""

    digest: str
    notes: tuple[str, ...]


def read_transfers(resolved: ResolvedStudy, transfers: Sequence[Transfer]) -> dict[str, OtherData]:
    """What each dataset holds, by the name of its transfer.

    Raises `UserError` for one that cannot be read, has no test part, or is refused by an evaluator that would
    train a winner on it.
    """
    study, trained = resolved.study, {name: _trained(resolved, arm) for name, arm in resolved.arms.items()}
    found = {}
    for transfer in transfers:
        spec = transfer.task(study.task).model_dump(mode="json")
        try:
            task = load_task(spec, [study.source])
            require_test(load_parts(spec, [study.source]))
            check_data(replace(resolved, arms=trained), task)
        except UserError as error:
            raise UserError(f"transfer to {transfer.name}: {error}") from error
        found[transfer.name] = OtherData(task.digest, tuple(task.notes))
    return found


def notes_of(found: Mapping[str, OtherData]) -> Iterator[str]:
    """What was guessed or dropped in each dataset, a line each."""
    for name, data in found.items():
        yield from (f"transfer to {name}: {note}" for note in data.notes)


def check_kept(resolved: ResolvedStudy, asked: Mapping[str, OtherData], row: CampaignRow) -> None:
    """Raise `UserError` when a dataset that a campaign keeps, though it is not asked for, has changed."""
    began = Provenance.from_json(row.provenance).identity.get("transfer", {})
    kept = [one for one in resolved.study.transfer if one.name not in asked]
    for name, data in read_transfers(resolved, kept).items():
        if began.get(name, data.digest) != data.digest:
            raise UserError(
                f"transfer to {name}: the data must be those that {row.id} began with "
                f"({began[name][:12]}), which keeps this dataset, but they are others ({data.digest[:12]}); "
                "restore them, or start a new campaign with --fresh"
            )


def _trained(resolved: ResolvedStudy, arm: ResolvedArm) -> ResolvedArm:
    """The arm as its winner is trained: by the study's evaluator where its own one derives configurations."""
    arm = replace(arm, strategy=None)  # and with it the evaluators of proposals
    if not arm.evaluator.one_shot:
        return arm
    return replace(arm, evaluator=resolved.protocol, evaluator_spec=resolved.study.evaluator)
