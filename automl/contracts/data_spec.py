"""The task of a study as its file says it: which data, how they are read and divided, which metrics."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from automl.contracts.basics import Metric, Options
from automl.contracts.data import EpisodeSpec, TaskOutline

Pixels = Annotated[
    int, Field(ge=1, le=16384, description="write [height, width] in pixels, such as [32, 32]")
]
Shots = Annotated[int, Field(ge=1, description="write how many examples are given, such as 5")]


class Grown(Options):
    """A part of a study that later versions add keys to: these are written only where they are set.

    What earlier versions wrote keeps its digest. `added`: the names of such keys.
    """

    added: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _without_unset(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        unset = {
            key for key in self.added if dict(self)[key] == fields[key].get_default(call_default_factory=True)
        }
        return {key: value for key, value in write(self).items() if key not in unset}


class ReadSpec(Grown):
    """How files are understood; what is None is found out and told. Each kind of file has its own keys.

    Tables: `separator`, `decimal`, `thousands`, `encoding`, `quote`, `header`, `missing`; of Excel: `sheet`;
    of a database: `query`. Folders of images: `alpha`, `size`. Arrays: `layout`.
    """

    added: ClassVar[frozenset[str]] = frozenset({"sheet", "query"})

    separator: str | None = Field(default=None, min_length=1, description='write the character, such as ";"')
    decimal: Literal[".", ","] | None = Field(default=None, description='write "." or ","')
    thousands: str | None = Field(
        default=None, max_length=1, description='write the character, or "" for none'
    )
    encoding: str | None = Field(default=None, description="write a name such as utf-8 or cp1252")
    quote: str | None = Field(default=None, max_length=1, description='write the character, or "" for none')
    header: bool | None = Field(default=None, description="write true or false")
    missing: list[str] | None = Field(
        default=None, description='write what stands for no value, such as ["?"]'
    )
    alpha: Literal["composite", "keep"] | None = Field(default=None, description="write composite or keep")
    size: list[Pixels] | None = Field(
        default=None, min_length=2, max_length=2, description="write [height, width] in pixels"
    )
    layout: Literal["channels_first", "channels_last"] | None = Field(
        default=None, description="write channels_first or channels_last"
    )
    sheet: str | None = Field(default=None, min_length=1, description="write the name of a sheet")
    query: str | None = Field(
        default=None, min_length=1, description="write a query, such as SELECT * FROM houses ORDER BY id"
    )

    def given(self) -> list[str]:
        """The keys that are set."""
        return [name for name, value in self if value is not None]


class ColumnsSpec(Options):
    """What columns of a table are; all others are found out and told.

    `drop`: no features. `keep`: features, although a rule would drop or refuse them. `categorical`: texts,
    also where they look like numbers. `date`: dates, each with its format where that is not found out.
    """

    drop: list[str] = Field(default=[], description="write names of columns")
    keep: list[str] = Field(default=[], description="write names of columns")
    categorical: list[str] = Field(default=[], description="write names of columns")
    date: list[str] | dict[str, str | None] = Field(
        default=[], description='write names of columns, or {name: format} such as {when: "%d.%m.%Y"}'
    )


class SplitSpec(Grown):
    """Which rows select and which are sealed.

    `group`: rows with one value of this column stay together. `time`: the part that is tested comes last in
    this column, the part that selects before it. `rare`: classes with too few rows for every part are
    refused, their rows dropped, or the classes merged into one.
    """

    added: ClassVar[frozenset[str]] = frozenset({"group", "time", "rare"})

    validation: float = Field(default=0.2, gt=0, lt=1, description="write a part of the data, such as 0.2")
    test: float = Field(default=0.2, ge=0, lt=1, description="write a part of the data, such as 0.2")
    seed: int = Field(default=0, ge=0, lt=2**31, description="write integers from 0 to 2147483647")
    group: str | None = Field(default=None, description="write the name of a column, such as patient")
    time: str | None = Field(default=None, description="write the name of a column, such as date")
    rare: Literal["refuse", "drop", "merge"] = Field(
        default="refuse", description="write refuse, drop or merge"
    )


class EpisodesSpec(Options):
    """Few-shot tasks: `ways` classes (none for functions), `shots` and `queries` examples of each.

    Selection and test use `count` fixed episodes; `rotations` makes four classes of each. The test is taken
    with `more_shots` as well.
    """

    ways: int | None = Field(
        default=None, ge=2, description="write how many classes an episode has, such as 5"
    )
    shots: int = Field(default=1, ge=1, description="write how many examples are given, such as 1")
    queries: int = Field(default=15, ge=1, description="write how many examples are asked for, such as 15")
    count: int = Field(default=600, ge=2, description="write how many fixed episodes judge, such as 600")
    rotations: bool = False
    more_shots: list[Shots] = Field(default=[], description="write numbers of shots, such as [5]")


class TaskSpec(Grown):
    """What is to be learnt. `dataset`: a plug-in, an absolute path, or `package.module:function`.

    `target`: the column of a table to predict. `test`: the file of a table that is the sealed test set, in
    place of a part of `dataset`. `weights`: the column of a table that says how much each row counts when
    models are fitted. With `episodes` the parts of the split share no class, and are drawn from as few-shot
    tasks.
    """

    added: ClassVar[frozenset[str]] = frozenset({"read", "columns", "test", "weights"})

    dataset: str | None = Field(default=None, description="write a dataset's name or a file")
    target: str | None = Field(default=None, description="write the name of the table's target column")
    test: str | None = Field(default=None, description="write the file of a table, such as held_out.csv")
    read: ReadSpec = ReadSpec()
    columns: ColumnsSpec = ColumnsSpec()
    weights: str | None = Field(default=None, description="write the name of a column, such as weight")
    metrics: list[Metric] = Field(min_length=1, description="write a metric's name, such as accuracy")
    split: SplitSpec = SplitSpec()
    episodes: EpisodesSpec | None = None

    def outline(self) -> TaskOutline:
        """What is known of the task before its data are read."""
        spec: EpisodeSpec | None = None
        if self.episodes is not None:
            given = self.episodes.model_dump(exclude_none=True)
            spec = EpisodeSpec(**{**given, "more_shots": tuple(self.episodes.more_shots)})
        return TaskOutline(tuple(self.metrics), self.dataset is not None, spec)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TaskSpec:
        """The task that `model_dump(mode="json")` wrote."""
        return cls.model_validate_json(json.dumps(data))
