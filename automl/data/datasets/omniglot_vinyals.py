"""Omniglot with the split of Vinyals et al. 2016: 1,028 characters to train, 172 to validate, 423 to test."""

from pathlib import Path

import numpy as np

from automl.contracts import UserError
from automl.data.dataset import Dataset
from automl.data.datasets.omniglot import FOLDERS, read_omniglot
from automl.data.local import find_files

LISTS = ("vinyals_train.txt", "vinyals_val.txt", "vinyals_test.txt")


def omniglot_vinyals() -> Dataset:
    """The drawings of `omniglot` in the parts that most published few-shot figures refer to.

    The lists (https://arxiv.org/abs/1606.04080, as published by Snell et al. 2017) name every character
    with its four rotations, so set `rotations: true` for them. Raises `UserError` when a character is in no
    list or in two.
    """
    omniglot = read_omniglot()
    parts = np.full(len(omniglot.names), -1)
    place = {name: number for number, name in enumerate(omniglot.names)}
    for part, path in enumerate(find_files("omniglot_vinyals", FOLDERS, LISTS)):
        for name in _characters(path):
            number = place.get(name)
            if number is None or parts[number] not in (-1, part):
                why = "is none of the dataset's characters" if number is None else "is in two lists"
                raise UserError(
                    f"a character must be in exactly one list, but {name!r} of {path} {why}; correct it"
                )
            parts[number] = part
    missing = [name for name, part in zip(omniglot.names, parts, strict=True) if part < 0]
    if missing:
        raise UserError(
            f"every character must be in a list, but {len(missing)} are in none, the first {missing[0]!r}; "
            f"correct {', '.join(LISTS)}"
        )
    return Dataset(omniglot.x, omniglot.y, "image", len(omniglot.names), parts=parts)


def _characters(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").split()
    return sorted({line.rpartition("/")[0] for line in lines})


PLUGIN = omniglot_vinyals
