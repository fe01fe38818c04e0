"""The key `promote` of a study file: what a winner must be to become the champion."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from pydantic import Field

from automl.config.document import KeyPath, Mistake, nearest, shown
from automl.config.part import Name, Part
from automl.config.shorthand_draft import Draft
from automl.contracts import TaskSpec

CHAMPION: Final = "champion"
_UNITS: Final = {"": 1, "K": 1000, "M": 1000_000, "G": 1000_000_000}
_COUNT: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]?)", re.IGNORECASE)


class Promote(Part):
    """The gate before the alias `champion`; a condition that is None is not asked for.

    `beats`: arms of the campaign, and `champion`, the model that has that alias now. `test_at_least` and
    `fresh_at_least` mean at least as good as: at most, where smaller values are better. `seeds_at_least`:
    searches of the winner's arm. `size_at_most`: parameters. `automatically`: at the end of each campaign.
    """

    beats: list[Name] = Field(default=["random", CHAMPION], description="write arms, random or champion")
    test_at_least: float | None = Field(default=None, description="write a value of the metric, such as 0.9")
    fresh_at_least: float | None = Field(default=None, description="write a value of the metric, such as 0.9")
    seeds_at_least: int | None = Field(default=None, ge=1, description="write how many, such as 3")
    size_at_most: int | None = Field(
        default=None, ge=1, description="write a number of parameters, such as 500000 or 5M"
    )
    automatically: bool = Field(default=False, description="write true or false")


DEFAULT: Final = Promote()


def expand_promote(draft: Draft) -> None:
    """Write out `beats: random` and `size_at_most: 5M`."""
    written = draft.data.get("promote")
    if not isinstance(written, dict):
        return
    promote = {key: value for key, value in written.items() if value is not None}
    draft.data["promote"] = promote
    if isinstance(promote.get("beats"), str):
        promote["beats"] = [promote["beats"]]
        draft.origins["promote", "beats", 0] = ("promote", "beats")
    size = promote.get("size_at_most")
    if isinstance(size, str):
        found = _COUNT.fullmatch(size.strip())
        if found is None:
            text = f"must be a number of parameters, but got {shown(size)}; write 500000, 500K or 5M"
            draft.refuse(("promote", "size_at_most"), text)
        else:
            promote["size_at_most"] = round(float(found[1]) * _UNITS[found[2].upper()])


def check_promote(
    promote: Promote, arms: Iterable[str], task: TaskSpec | None, finals: int | None, *, tested: bool
) -> Iterator[Mistake]:
    """Conditions that no campaign of the study could ever meet. `tested`: there can be test values."""
    known = [*arms, CHAMPION]
    where: KeyPath = ("promote", "beats")
    for number, name in enumerate(promote.beats):
        if name not in known:
            text = f"must be arms of the study or champion, but got {shown(name)}; {nearest(name, known)}"
            yield Mistake((*where, number), text)
        elif name in promote.beats[:number]:
            yield Mistake((*where, number), f"must differ, but got {shown(name)} twice; write it once")
    for level in ("test", "fresh"):
        value = promote.test_at_least if level == "test" else promote.fresh_at_least
        if value is not None and finals == 0:
            text = f"needs retrainings of the winner, but got {shown(value)} with final: {{seeds: 0}}"
            yield Mistake(("promote", f"{level}_at_least"), f"{text}; write final: {{seeds: 3}}")
        elif value is not None and level == "test" and task is not None and not tested:
            text = f"needs a test set, but got {shown(value)} without a dataset"
            yield Mistake(("promote", "test_at_least"), f"{text}; write fresh_at_least, or name a dataset")
