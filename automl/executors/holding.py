"""What trials may hold besides what the options of an executor say."""

from __future__ import annotations

from automl.contracts import Held, UserError
from automl.executors.ranks import check_ranks


def held_instead(of: Held, cpus: float | None, gpus: float | None) -> Held:
    """`of` with other CPUs or GPUs. With other GPUs it has a rank for each whole one.

    Raises `UserError` when the ranks cannot divide that.
    """
    held = Held(of.cpus if cpus is None else cpus, of.gpus if gpus is None else gpus, of.ranks)
    if gpus is not None:
        held = Held(held.cpus, held.gpus, max(1, int(gpus)))
    try:
        check_ranks(held.ranks, held.cpus, held.gpus)
    except ValueError as error:
        raise UserError(f"{error}; change what the arm holds") from None
    return held
