"""Whether a winner can be trained, and will leave a model: said before anything is trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from automl import plugins
from automl.contracts import Evaluator, UserError
from automl.data import load_task
from automl.export.winner import Winner


def check_trainable(winner: Winner, path: Path, message: Callable[[str], None]) -> None:
    """Raise `UserError` for a winner that has nothing to train, leaves no model, or was found on other data.

    Where nothing has shown yet whether its training leaves a model, `message` says so.
    """
    _check_trains(winner, path)
    _check_leaves(winner, path, message)
    _check_data(winner)
    if (ensemble := winner.certificate.ensemble) is not None:
        message(
            f"the model of {winner.certificate.campaign} is {ensemble}: this trains its best configuration "
            "alone, which has other values; automl predict uses the ensemble"
        )


def _check_leaves(winner: Winner, path: Path, message: Callable[[str], None]) -> None:
    known = winner.certificate.retrainings
    write = "write one to context.workdir / 'model' when context.final is true"
    if known is not None and known.model is False:
        raise UserError(
            f"a training must leave a model to be registered, but the {len(known.seeds)} retrainings of "
            f"{winner.certificate.campaign} by {winner.training.name!r} left none; {write} and run the study "
            f"again (--fresh), or use {path} directly"
        )
    if known is not None and known.model:
        return
    if plugins.load("evaluators", winner.training.name).score is Evaluator.score:
        message(
            f"whether {winner.training.name!r} leaves a model is not known before it has been trained; only "
            f"then it can be registered: {write}"
        )


def _check_trains(winner: Winner, path: Path) -> None:
    if winner.tabular:
        fixed = ", ".join(f"{name}: {json.dumps(value)}" for name, value in winner.trained.items())
        raise UserError(
            f"`automl train` needs a winner of an evaluator that trains models, but that of {path} is "
            f"{winner.training.name!r}, which looks results up in a benchmark table; to train this "
            "configuration, write a study with a dataset, evaluator: network, budget: {trials: 1} and "
            f"space: {{name: {winner.space.name}, fix: {{{fixed}}}}}, or another space that builds it"
        )


def _check_data(winner: Winner) -> None:
    expected = winner.certificate.data
    if expected is None:
        return
    found = load_task(winner.task.model_dump(mode="json"), winner.import_path).digest
    if found != expected:
        raise UserError(
            f"the data must be those the winner was found on ({expected[:12]}), but {winner.task.dataset} is "
            f"now {found[:12]}; restore them, or run the study again on the new data"
        )
