"""What belongs to the winner of a search: its retrainings, and the opening of the test set that scored it.

A search that has grown may have had another winner before, whose retrainings and openings stay in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from automl.contracts import Config, TrialState, digest
from automl.ledger.rows import OpeningRow, TrialRow


def retrainings(trained: Config, trials: Iterable[TrialRow]) -> list[TrialRow]:
    """The fresh-seed retrainings of a winner's configuration among a search's trials, by number.

    Those whose model is lost are left out here and below: others have been, or will be, trained for them.
    """
    return of_kind("final", trained, trials)


def refit_of(trained: Config, trials: Iterable[TrialRow]) -> TrialRow | None:
    """The last complete fit of a winner's configuration on all rows among a search's trials, by number."""
    found = [one for one in of_kind("refit", trained, trials) if one.state is TrialState.COMPLETE]
    return found[-1] if found else None


def of_kind(kind: str, config: Config, trials: Iterable[TrialRow]) -> list[TrialRow]:
    """The trials of that kind (see `rows.KINDS`) of a configuration among a search's trials, by number."""
    wanted = digest(config)
    found = [
        trial
        for trial in trials
        if trial.kind == kind and trial.lost is None and digest(trial.config) == wanted
    ]
    return sorted(found, key=lambda trial: trial.number)


def transfers(dataset: str, trained: Config, trials: Iterable[TrialRow]) -> list[TrialRow]:
    """The trainings of a winner's configuration on another dataset among a search's trials, by number."""
    return [trial for trial in of_kind("transfer", trained, trials) if trial.dataset == dataset]


def winner_opening(
    winner: str, finals: Sequence[TrialRow], openings: Iterable[OpeningRow]
) -> OpeningRow | None:
    """Of the `openings` that have values of a search's present winner or its `finals`, the one of the most.

    Of equal ones it is the first: to look again gives no other value. Openings of earlier versions do not say
    what they scored: there was one, after all else.
    """
    own = {winner, *(trial.id for trial in finals)}
    found = [one for one in openings if one.values is not None]
    found = [one for one in found if one.trials is None or own.issuperset(one.trials)]
    return max(found, key=lambda one: (len(one.values or ()), -one.id), default=None)
