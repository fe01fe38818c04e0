"""Which array of an .npz file holds inputs and which targets, of which part: by its name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from automl.contracts import UserError
from automl.data.reading.classes import PARTS, Part
from automl.data.reading.wording import count, shown, some

_PART = "|".join(PARTS)
_NAME = re.compile(
    rf"(?:(?P<before>{_PART})_?)?(?:(?P<x>x|images?|imgs?|data|features?|inputs?)|(?P<y>y|labels?|targets?))"
    rf"(?:_?(?P<after>{_PART}))?",
    re.IGNORECASE,
)


class Role(NamedTuple):
    """What an array is for: the inputs x or the targets y of a part."""

    part: Part
    kind: Literal["x", "y"]

    @property
    def usual(self) -> str:
        """The name of such an array in this project."""
        return self.kind if self.part == "train" else f"{self.kind}_{self.part}"


def named(path: Path, names: Sequence[str]) -> tuple[dict[Role, str], list[str]]:
    """The name of the array of each role, in pairs, and what is to be told of that.

    Names are `x` or `images`, `data`, …, and `y` or `labels`, `targets`, …, with or without a part, such as
    `x_train` or `test_images`, in any case of letters. Raises `UserError` when two could have one role.
    """
    found: dict[Role, list[str]] = {}
    for name in names:
        role = _role(name)
        if role is not None:
            found.setdefault(role, []).append(name)
    chosen = {role: _one(path, role, group) for role, group in found.items()}
    notes: list[str] = []
    alone: set[str] = set()
    parts: tuple[Part, ...] = ("train", "validation", "test")
    for part in parts:
        x, y = Role(part, "x"), Role(part, "y")
        if (x in chosen) == (y in chosen):
            continue
        if part == "train":
            break
        there, missing = (x, y) if x in chosen else (y, x)
        instead = "; the test part is drawn from x (task.split.test)" if part == "test" else ""
        name = chosen.pop(there)
        alone.add(name)
        notes.append(f"{shown(name)} is left out, since there is no {missing.usual}{instead}")
    if Role("train", "x") not in chosen or Role("train", "y") not in chosen:
        raise UserError(
            f"an .npz dataset must hold the arrays x and y, but {shown(path)} holds "
            f"{some(names, 10) or 'none'}; save it with np.savez(path, x=…, y=…)"
        )
    unusual = [f"{shown(name)} as {role.usual}" for role, name in chosen.items() if name != role.usual]
    if unusual:
        notes.insert(0, f"arrays are taken by their names: {', '.join(unusual)}")
    left = [name for name in names if name not in chosen.values() and name not in alone]
    if left:
        notes.append(f"{count(len(left), 'other array')} of the file: left out ({some(left)})")
    return chosen, notes


def _role(name: str) -> Role | None:
    match = _NAME.fullmatch(name)
    if match is None or (match["before"] and match["after"]):
        return None
    part = PARTS[(match["before"] or match["after"] or "train").casefold()]
    return Role(part, "x" if match["x"] else "y")


def _one(path: Path, role: Role, group: list[str]) -> str:
    """The array of `group` for `role`: the usual name before others."""
    if role.usual in group:
        return role.usual
    if len(group) > 1:
        raise UserError(
            f"each array must have a role of its own, but in {shown(path)} {some(group, 10)} could all be "
            f"{role.usual}; name one of them {role.usual}, or save the others elsewhere"
        )
    return group[0]
