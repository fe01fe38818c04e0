"""How a campaign grows: what a study asks for beyond what is there, and what it asks less of.

A campaign has an identity, which stays, and an extent: its budget, limits, seeds, arms and retrainings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from automl.config import Arm, Budget, Final, Limits, Looks, Study, Transfer
from automl.contracts import UserError
from automl.identity import Change, changes
from automl.ledger import CampaignRow

SEEDS = 2**31  # seeds are below


@dataclass(frozen=True)
class Growth:
    """What a campaign has and what is asked for, as one `study`.

    `more`, `kept`: in words, what it gains, and what is asked less of, which stays as it is.
    """

    study: Study
    more: tuple[str, ...]
    kept: tuple[str, ...]


@dataclass(frozen=True)
class Addition:
    """What is asked for on top of what a campaign has, whatever its file says."""

    seeds: int = 0
    trials: int = 0
    device_seconds: float = 0.0

    def to(self, study: Study) -> Study:
        """The study that asks for it. Raises `UserError` for a budget without that part."""
        if self.seeds and study.most_seeds > len(study.seeds):
            raise UserError(
                f"--add-seeds needs a study with a number of seeds, but {study.name} adds seeds by itself "
                f"until every arm is decided, at most {study.most_seeds}; "
                "write a larger at_most and run it with --fresh"
            )
        budget = study.budget.model_dump()
        for name, more in (("trials", self.trials), ("device_seconds", self.device_seconds)):
            if more and budget[name] is None:
                has = ", ".join(key for key, value in budget.items() if value is not None)
                raise UserError(
                    f"--add-{name.replace('_', '-')} needs a study with budget.{name}, but {study.name} has "
                    f"{has}; change its budget in the file"
                )
            if more:
                budget[name] += more
        first = max(study.seeds) + 1
        seeds = [*study.seeds, *range(first, first + self.seeds)]
        return _with_seeds(study.model_copy(update={"budget": Budget(**budget)}), seeds)


def identity_changes(before: Study, asked: Study) -> list[Change]:
    """What makes `asked` another study than `before`.

    An arm, or a dataset of `transfer`, that only one of them has is no change.
    """
    first, second = before.identity(), asked.identity()
    for key in ("arms", "transfer"):
        both = first[key].keys() & second[key].keys()
        for one in (first, second):
            one[key] = {name: part for name, part in one[key].items() if name in both}
    return changes(first, second)


def compared_with(row: CampaignRow, asked: Study) -> tuple[Study | None, list[Change]]:
    """The study of a campaign, None when this version cannot read it, and what makes `asked` another one."""
    try:
        before = Study.from_json(row.spec)
    except ValidationError:
        return None, changes(row.spec, asked.to_json())
    return before, identity_changes(before, asked)


def shifted(study: Study, shift: int) -> Study:
    """The study with other seeds: `shift` more than those of its file."""
    return _with_seeds(study, [seed + shift for seed in study.seeds]).model_copy(update={"seed_shift": shift})


def unused_shift(study: Study, used: set[int]) -> int:
    """The least by which the seeds of a study have to be shifted so that they lie above all `used` ones."""
    return max(0, max(used, default=-1) + 1 - min(study.seeds))


def grow(before: Study, asked: Study) -> Growth:
    """What a campaign of `before` becomes when `asked`, the same study, is run. Both have shifted seeds."""
    more: list[str] = []
    kept: list[str] = []
    seeds = [*before.seeds, *(seed for seed in asked.seeds if seed not in before.seeds)]
    if new := seeds[len(before.seeds) :]:
        more.append(f"seeds: {len(new)} more ({listed(new)})")
    if unasked := [seed for seed in before.seeds if seed not in asked.seeds]:
        kept.append(f"seeds: {len(unasked)} stay that are not asked for ({listed(unasked)})")
    arms = _arms(before, asked, more, kept)
    final = _final(before.final, asked.final, more, kept)
    transfer = _transfer(before.transfer, asked.transfer, more, kept)
    budget = _budget(before.budget, asked.budget, more, kept)
    looks = _looks(before, asked, kept)
    if before.record != asked.record:
        kept.append(f"record: {before.record} stays, not {asked.record}")
    more += _raised(before.limits, asked.limits)
    study = asked.model_copy(
        update={
            "arms": arms,
            "budget": budget,
            "final": final,
            "transfer": transfer,
            "record": before.record,
            "looks": looks,
            "seed_shift": before.seed_shift,
            "retired": [name for name in arms if name not in asked.arms],
        }
    )
    return Growth(_with_seeds(study, seeds), tuple(more), tuple(kept))


def _looks(before: Study, asked: Study, kept: list[str]) -> Looks:
    """The plan of verdicts stays: they may have been looked at, and count on it."""
    had = before.looks or Looks(first=len(before.seeds))
    wanted = asked.looks or Looks(first=len(asked.seeds))
    if (had.last, had.until_decided) != (wanted.last, wanted.until_decided):
        most = "as many seeds as there are" if had.last is None else f"at most {had.last} seeds"
        kept.append(f"seeds: verdicts stay planned for {most}; --fresh plans anew")
    return had


def _arms(before: Study, asked: Study, more: list[str], kept: list[str]) -> dict[str, Arm]:
    arms = {name: asked.arms.get(name, arm) for name, arm in before.arms.items()} | asked.arms
    if new := [name for name in asked.arms if name not in before.arms]:
        more.append(f"arms: {', '.join(new)} more")
    if back := [name for name in before.retired if name in asked.arms]:
        more.append(f"arms: {', '.join(back)} again")
    if unasked := [name for name in before.arms if name not in asked.arms]:
        kept.append(f"arms: {', '.join(unasked)} stay as they are, and do not grow")
    return arms


def _final(before: Final, asked: Final, more: list[str], kept: list[str]) -> Final:
    _told("final.seeds", before.seeds, asked.seeds, more, kept)
    _told("final.top", before.top, asked.top, more, kept)
    if asked.refit and not before.refit:
        more.append("final.refit: the model that predicts is fitted again on all rows")
    if before.refit and not asked.refit:
        kept.append("final.refit: true stays, not false")
    seeds, top = max(before.seeds, asked.seeds), max(before.top, asked.top)
    return Final(seeds=seeds, top=top, refit=before.refit or asked.refit)


def _transfer(
    before: list[Transfer], asked: list[Transfer], more: list[str], kept: list[str]
) -> list[Transfer]:
    """Those that it has, and new ones: of equal names are the same data (see `identity_changes`)."""
    had, wanted = [one.name for one in before], [one.name for one in asked]
    if new := [one for one in asked if one.name not in had]:
        more.append(f"transfer: {', '.join(one.name for one in new)} more")
    if unasked := [name for name in had if name not in wanted]:
        kept.append(f"transfer: {', '.join(unasked)} stay, though not asked for")
    return [*before, *new]


def _budget(before: Budget, asked: Budget, more: list[str], kept: list[str]) -> Budget:
    """The larger of two budgets; the one asked for when it counts something else."""
    had, wanted = before.model_dump(exclude_none=True), asked.model_dump(exclude_none=True)
    if had.keys() != wanted.keys():
        more += [f"budget.{change}" for change in changes(had, wanted)]
        return asked
    for name, value in had.items():
        _told(f"budget.{name}", value, wanted[name], more, kept)
    return Budget(**{name: max(value, wanted[name]) for name, value in had.items()})


def _told(item: str, before: float, asked: float, more: list[str], kept: list[str]) -> None:
    if asked > before:
        more.append(f"{item}: from {before:g} to {asked:g}")
    elif asked < before:
        kept.append(f"{item}: {before:g} stay, not {asked:g}")


def _raised(before: Limits, asked: Limits) -> Iterator[str]:
    """The limits that leave more room; lower ones hold from now on, and end nothing that has ended."""
    had, wanted = before.model_dump(), asked.model_dump()
    for name, value in had.items():
        if value is not None and (wanted[name] is None or wanted[name] > value):
            to = "none" if wanted[name] is None else f"{wanted[name]:g}"
            yield f"limits.{name}: from {value:g} to {to}"


def _with_seeds(study: Study, seeds: list[int]) -> Study:
    if max(seeds) >= SEEDS:
        raise UserError(
            f"seeds must stay below {SEEDS}, but {study.name} would need {max(seeds)}; "
            "write smaller ones in its file, or run with --same-seeds"
        )
    return study.model_copy(update={"seeds": seeds})


def listed(values: list[int]) -> str:
    """Seeds in words; the first ten of many."""
    rest = f", … ({len(values)} in all)" if len(values) > 10 else ""
    return ", ".join(map(str, values[:10])) + rest
