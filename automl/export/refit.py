"""A winner that is to be trained on all data but the test set, once nothing is selected by them any more."""

from __future__ import annotations

from automl.contracts import UserError
from automl.export.winner import Winner


def refitted(winner: Winner) -> Winner:
    """The same winner, which trains on validation data too; its certificate says so.

    Raises `UserError` where no rows are held back for validation.
    """
    name, why = winner.certificate.campaign, ""
    if winner.tabular:
        why = "looks its values up in a benchmark table"
    elif winner.task.dataset is None:
        why = "has no dataset"
    elif winner.task.episodes is not None:
        why = "is few-shot: its parts have other classes, and what was learned from some is tried on others"
    if why:
        raise UserError(
            f"--refit trains on the rows that were held back for validation too, but {name} {why}; leave "
            "--refit out"
        )
    certificate = winner.certificate.model_copy(update={"refit": True})
    return winner.model_copy(update={"certificate": certificate}).sealed()
