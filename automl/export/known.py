"""What the ledger knows of a winner besides its values: its retrainings, and what a gate said of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from automl.contracts import Direction, TrialState, UserError
from automl.export.gate_record import GateRecord
from automl.export.winner import Retrainings, Winner
from automl.files import MODEL, LostFileError, has_part, part_of
from automl.ledger.winners import refit_of, retrainings
from automl.report.searches import final_values

if TYPE_CHECKING:
    from automl.config import Study
    from automl.ledger.ledger import Ledger
    from automl.ledger.rows import TrialRow
    from automl.report.chosen import Chosen


def last_gate(ledger: Ledger, campaign: str, trial: str) -> GateRecord | None:
    """What the gate said of a campaign's winner last; None when it has not been before it."""
    for one in reversed(ledger.promotions(campaign=campaign)):
        if one.action in ("promote", "refuse") and one.content.get("trial") == trial:
            return GateRecord.read(one.action, one.at, one.by, one.content)
    return None


def retrained(ledger: Ledger, choice: Chosen, study: Study) -> Retrainings | None:
    """The retrainings behind the winner's fresh values, in their order; None without any."""
    search = choice.best.trial.rpartition("/")[0]
    finals = [
        trial
        for trial in retrainings(choice.best.trained, ledger.trials(search=search))
        if final_values(trial)
    ]
    if not finals:
        return None
    known = [trial for trial in finals if trial.storage or (trial.workdir and Path(trial.workdir).is_dir())]
    model = any(has_part(trial, MODEL) for trial in known) if known else None
    arm = study.arms.get(choice.arm)
    cpus = float(arm.cpus if arm and arm.cpus else study.executor.options.get("cpus", 1))
    return Retrainings(seeds=[trial.seed for trial in finals], cpus=cpus, model=model)


@contextmanager
def model_of(trial: TrialRow) -> Iterator[Path]:
    """The folder of the model that a retraining has left, inside the block; one of a storage is fetched.

    Raises `UserError` when that is lost, `StorageError` when the storage stays away. A folder of this machine
    may be missing.
    """
    if trial.storage is None:
        yield Path(trial.workdir or "") / MODEL
        return
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(part_of(trial, MODEL))
        except LostFileError as error:
            raise UserError(
                f"the model of {trial.id} must be there, but {error}; train it again: automl export NAME "
                "-o best.yaml, automl train best.yaml"
            ) from None
        yield folder


def best_retraining(ledger: Ledger, winner: Winner) -> TrialRow | None:
    """Of a winner's complete retrainings the one that is best on validation data; None without any."""
    certificate = winner.certificate
    finals = [
        trial
        for trial in retrainings(winner.trained, ledger.trials(search=certificate.search))
        if trial.state is TrialState.COMPLETE and trial.values
    ]
    sign = 1 if Direction(certificate.direction) is Direction.MAXIMIZE else -1
    return max(finals, key=lambda trial: sign * trial.values[0] if trial.values else 0.0, default=None)


def refit(ledger: Ledger, winner: Winner) -> TrialRow | None:
    """The fit of a winner on all rows, by which it predicts; None where it was not, or its model is lost."""
    found = refit_of(winner.trained, ledger.trials(search=winner.certificate.search))
    return found if found is not None and has_part(found, MODEL) else None


def needed_retraining(ledger: Ledger, winner: Winner, rule: str, otherwise: str = "") -> TrialRow:
    """The same, for what cannot do without one.

    Without any, raises `UserError` with the `rule` that wants one, and what else can be done.
    """
    best = best_retraining(ledger, winner)
    if best is None:
        raise UserError(
            f"{rule}, but {winner.certificate.campaign} has no retraining of its winner; set final: "
            f"{{seeds: 1}} or more{otherwise}"
        )
    return best
