"""Which seeds a look takes while a campaign runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile

from automl.report.arms import ArmReport
from automl.report.searches import SearchReport
from automl.report.settings import StudySettings


def seed_order(arms: Sequence[ArmReport], study: StudySettings) -> list[int]:
    """All seeds: those of the study, then those that were added."""
    added = sorted({search.seed for arm in arms for search in arm.searches} - set(study.seeds))
    return [*study.seeds, *added]


def ended_seeds(
    arms: Sequence[ArmReport], study: StudySettings, has_ended: Callable[[str, SearchReport], bool]
) -> list[int] | None:
    """The seeds of a look while a campaign runs; None before its first one.

    They are those before the first that is still open: which one ends first decides nothing. `has_ended`:
    whether the value of a search of that arm is the last one.
    """

    def closed(seed: int) -> bool:
        """Whether no value of this seed will still come; arms need no searches beyond the first look."""
        of_seed = [(arm.name, one) for arm in arms for one in arm.searches if one.seed == seed]
        planned = len(of_seed) == len(arms) or seed not in study.seeds[: study.plan.first]
        return bool(of_seed) and planned and all(has_ended(arm, one) for arm, one in of_seed)

    ended = list(takewhile(closed, seed_order(arms, study)))
    return ended if len(ended) >= max(study.plan.first, 2) else None
