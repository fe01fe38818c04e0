"""A study file that is being written out: its data so far, where each key came from, and mistakes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from automl.config.document import KeyPath, Mistake
from automl.contracts import Json


class Use(NamedTuple):
    """A plug-in that a study names, and the written-out key path where it does."""

    kind: str
    name: str
    options: Json
    path: KeyPath


@dataclass
class Draft:
    """A study written out but not validated. `origins`: written-out key path → the one in the file.

    `broken`: written-out paths whose shape is already among the `mistakes`.
    """

    data: Json = field(default_factory=dict)
    origins: dict[KeyPath, KeyPath] = field(default_factory=dict)
    broken: set[KeyPath] = field(default_factory=set)
    mistakes: list[Mistake] = field(default_factory=list)
    plugins: list[Use] = field(default_factory=list)
    looks: Json = field(default_factory=dict)

    def written(self, path: KeyPath) -> KeyPath:
        """The key path in the file that stands for the written-out `path`."""
        for length in range(len(path), 0, -1):
            origin = self.origins.get(path[:length])
            if origin is not None:
                return (*origin, *path[length:])
        return path

    def refuse(self, path: KeyPath, text: str) -> None:
        """Note a shape that cannot be written out."""
        self.broken.add(path)
        self.mistakes.append(Mistake(self.written(path), text))


def without_nulls(mapping: Json) -> Json:
    """`mapping` without keys that have no value: they count as not written."""
    return {key: value for key, value in mapping.items() if value is not None}
