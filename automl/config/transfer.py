"""The key `transfer` of a study file: other datasets, on which the winners are trained again."""

from __future__ import annotations

from pydantic import Field

from automl.config.part import Name, Part
from automl.contracts import ColumnsSpec, ReadSpec, SplitSpec, TaskSpec

OF_ONE = {"group": None, "time": None}  # keys of a split that name columns, which other data do not have


class Transfer(Part):
    """Another dataset than the study's, on which winners are trained again and scored.

    `name`: how reports call it, by default made of `dataset`. `split` None: the study's own, without the
    columns that it names. Metrics, and the kind of episodes, are always the study's.
    """

    name: Name = Field(description="write how reports call it, such as wine")
    dataset: str = Field(description="write a dataset's name or a file")
    target: str | None = Field(default=None, description="write the name of the table's target column")
    read: ReadSpec = ReadSpec()
    columns: ColumnsSpec = ColumnsSpec()
    split: SplitSpec | None = None

    def task(self, own: TaskSpec) -> TaskSpec:
        """The task that it is, in a study whose task is `own`."""
        return TaskSpec(
            dataset=self.dataset,
            target=self.target,
            read=self.read,
            columns=self.columns,
            metrics=own.metrics,
            split=self.split or own.split.model_copy(update=OF_ONE),
            episodes=own.episodes,
        )
