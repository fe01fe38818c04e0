"""The seeds of trainings of a winner: those that its campaign has recorded, so that values come again."""

from __future__ import annotations

from dataclasses import dataclass

from automl.contracts import derive_seed
from automl.export.winner import Winner


@dataclass(frozen=True)
class Seed:
    """The seed `value` of a training; `named`: what tells trainings of one winner apart.

    `cpus` and `exported`: of the campaign's retraining with it. `told`: where the seed is from, in words.
    """

    value: int
    named: int | str
    cpus: float | None = None
    exported: float | None = None
    told: str = ""


def chosen_seed(winner: Winner, asked: int | None) -> Seed:
    """The seed that was asked for, else that of the best retraining on validation data, else another one."""
    fresh = winner.certificate.values.fresh
    if asked is not None:
        return _derived(winner, asked)
    sign = 1 if winner.certificate.direction == "maximize" else -1
    best = max(range(len(fresh)), key=lambda place: sign * fresh[place], default=0)
    return seed_at(winner, best)


def seed_at(winner: Winner, place: int) -> Seed:
    """The seed of the retraining at that place, from 0; a derived one where there are not so many."""
    known, fresh = winner.certificate.retrainings, winner.certificate.values.fresh
    if known is None or place >= min(len(known.seeds), len(fresh)):
        return _derived(winner, place)
    exported = fresh[place]
    told = f" of the campaign, where it gave {exported:.4g}"
    return Seed(known.seeds[place], f"recorded {known.seeds[place]}", known.cpus, exported, told)


def _derived(winner: Winner, number: int) -> Seed:
    return Seed(derive_seed(winner.name, "train", number), number, told=", which the campaign has not used")
