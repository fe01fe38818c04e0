"""A validated study: plain frozen data, JSON both ways."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from automl import plugins
from automl.config.amounts import Budget, Limits
from automl.config.defaults import EXECUTOR, NO_PRUNER
from automl.config.part import Name, Part
from automl.config.priority import Priority, weight_of
from automl.config.promotion import Promote
from automl.config.schedule import Schedule
from automl.config.target import Target
from automl.config.transfer import Transfer
from automl.contracts import Bounds, Ending, Json, PluginSpec, TaskSpec, digest

HIDDEN = ("source", "seed_shift", "retired", "looks")  # fields that are no keys of a study file
EXTENT = ("budget", "limits", "seeds", "final")  # how much is asked for
ADDED = ("arms", "transfer")  # to which more may be added; what is there stays as it is
Seed = Annotated[int, Field(ge=0, lt=2**31, description="write integers from 0 to 2147483647")]


class SpaceSpec(Part):
    """A search space and how it is restricted; `automl.spaces.load_space` reads its JSON.

    `parameters`: those of a space that the study writes itself, in order; its name is then only shown.
    """

    name: str = Field(description="write a search space's name")
    fix: Json = Field(default={}, description="write {parameter: value}")
    narrow: Json = Field(default={}, description="write {parameter: [low, high] or [options]}")
    parameters: list[Json] = Field(default=[], description="write {name: {type: float, low: 0, high: 1}}")

    @model_serializer(mode="wrap")
    def _plain(self, handler: SerializerFunctionWrapHandler) -> Json:
        """Without `parameters` where there are none, as before there were any."""
        data: Json = handler(self)
        return data if self.parameters else {key: value for key, value in data.items() if key != "parameters"}


class Trial(Part):
    """What one trial may use. `share`: the part of its search's budget before it reports a value.

    `memory`: bytes beyond what its worker holds when it starts.
    """

    memory: int | None = Field(default=None, ge=2**20, description="write a size such as 4GiB or 512MiB")
    share: float = Field(default=0.7, gt=0, le=1, description="write a part of the budget, such as 0.7")


class Retry(Part):
    """How often a trial is tried again, by the class of its end. `backoff`: seconds to the first retry.

    `preempted` is so large since a machine or a driver that was taken away is not the trial's fault.
    """

    transient: int = Field(default=6, ge=0, le=100, description="write how often, 0 for never")
    lost: int = Field(default=3, ge=0, le=100, description="write how often, 0 for never")
    oom: int = Field(default=0, ge=0, le=100, description="write how often, 0 for never")
    preempted: int = Field(default=100, ge=0, le=100, description="write how often, 0 for never")
    backoff: float = Field(default=1.0, ge=0, le=3600, description="write seconds, such as 1")

    def of(self, ending: Ending) -> int:
        """How often a trial is tried again after attempts that ended so; never after what comes again."""
        again = {
            Ending.TRANSIENT: self.transient,
            Ending.LOST: self.lost,
            Ending.OOM: self.oom,
            Ending.PREEMPTED: self.preempted,
        }
        return again.get(ending, 0)


class Memory(Part):
    """What strategies remember of earlier campaigns. `top`: how many of their best come first.

    `source`, in files `from`: `last` of this study, `all` on similar data, or campaigns and studies by name;
    no names: nothing is remembered.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    source: Literal["last", "all"] | list[str] = Field(
        default="last", alias="from", description="write last, all, or [names of campaigns or studies]"
    )
    top: int = Field(default=5, ge=1, le=100, description="write how many, such as 5")


class Arm(Part):
    """One method: a strategy, an evaluator that searches by itself, or a reference.

    `evaluator`, `space` and `memory` None mean the study's; `reference` names the space whose default
    configuration is the hand-designed one. `twin`: there is the same arm without memory, too. `cpus`, `gpus`:
    what its trials hold; None: what the executor gives.
    """

    strategy: PluginSpec | None = None
    pruner: PluginSpec = NO_PRUNER
    evaluator: PluginSpec | None = None
    space: SpaceSpec | None = None
    reference: str | None = Field(default=None, description="write the name of a hand-designed configuration")
    memory: Memory | None = None
    twin: bool = Field(default=False, description="write true or false")
    cpus: float | None = Field(default=None, gt=0, description="write a number such as 2")
    gpus: float | None = Field(default=None, ge=0, description="write a number such as 1 or 0.1")


class Final(Part):
    """What follows a search: fresh-seed retrainings of its winner, then one opening of the test set.

    `top`: its best so many configurations are evaluated again first, and the best of them is the winner.
    `refit`: after the test, the model that predicts is fitted once more on all rows, test rows included.
    """

    seeds: int = Field(default=3, ge=0, le=1000, description="write how many retrainings, 0 for none")
    top: int = Field(default=1, ge=1, le=100, description="write how many, such as 3")

    refit: bool = Field(default=False, description="write true or false")

    @model_serializer(mode="wrap")
    def _without_default(self, handler: SerializerFunctionWrapHandler) -> Json:
        """As before there were `top` and `refit`, where they change nothing."""
        data: Json = handler(self)
        if self.top == 1:
            data.pop("top", None)
        if not self.refit:
            data.pop("refit", None)
        return data


class Looks(Part):
    """When verdicts are taken: first at `first` seeds of a campaign; `last`: at most so many, None for any.

    `until_decided`: the campaign adds seeds by itself until every arm is decided, or has `last`.
    """

    first: int = Field(ge=1)
    last: int | None = None
    until_decided: bool = False


class Study(Part):
    """A validated study file, every shorthand written out. `source`: the folder its code is imported from."""

    name: Name
    task: TaskSpec
    constraints: dict[str, Bounds] = Field(
        default={}, description="write {metric: bound}, such as {parameters: 2M}"
    )
    space: SpaceSpec | None = None
    evaluator: PluginSpec
    budget: Budget
    limits: Limits = Limits()
    trial: Trial = Trial()
    retry: Retry = Retry()
    memory: Memory | None = None
    seeds: list[Seed] = Field(default=[0, 1, 2], min_length=1, description="write integers, or how many")
    arms: dict[Name, Arm] = Field(min_length=1, description="write {name: {strategy: name}}")
    equivalent: float | None = Field(default=None, gt=0, description="write a difference such as 0.002")
    executor: PluginSpec = EXECUTOR
    final: Final = Final()
    transfer: list[Transfer] = Field(default=[], description="write a list of datasets, such as [wine]")
    schedule: Schedule | None = None
    promote: Promote | None = None
    notify: list[Target] = Field(default=[], max_length=20, description="write a list of targets")
    priority: Priority = "normal"
    over_quota: Literal["end", "wait"] = Field(default="end", description="write end or wait")
    record: Literal["trials", "searches"] = Field(default="trials", description="write trials or searches")
    source: str = Field(default=".", repr=False)
    seed_shift: int = Field(default=0, ge=0, repr=False)  # what a campaign adds to the seeds of its file
    looks: Looks | None = Field(default=None, repr=False)  # of the file's `seeds`; None: one look
    retired: list[Name] = Field(default=[], repr=False)  # arms that the file has dropped since it began

    @property
    def most_seeds(self) -> int:
        """How many seeds an arm gets at most, those included that are added until it is decided."""
        if self.looks is None or not self.looks.until_decided:
            return len(self.seeds)
        return max(len(self.seeds), self.looks.last or 0)

    @property
    def weight(self) -> int:
        """Its priority as a number: of two campaigns at one place, one of twice it gets twice the slots."""
        return weight_of(self.priority)

    def to_json(self) -> Json:
        """The study as plain JSON values."""
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Study:
        """The study that `to_json` wrote."""
        return cls.model_validate_json(json.dumps(data))

    def digest(self) -> str:
        """Sha256 (hex) of all that can change a result.

        Left out: schedule, promotion, priority, recording, options of the executor that only say where trials
        run, and the folders of the study and of its data, benchmark files included.
        """
        data = self._placeless()
        for key, default in (("limits", Limits()), ("trial", Trial()), ("retry", Retry())):
            if data[key] == default.model_dump(mode="json"):  # as before there were any
                del data[key]
        return digest(data)

    def identity(self) -> Json:
        """What makes it this study and no other: the part of the digest that may not grow (see `EXTENT`).

        Of what may be `ADDED`, each by its name.
        """
        data = self._placeless()
        data["transfer"] = {one["name"]: one for one in data.get("transfer", ())}
        return {key: value for key, value in data.items() if key not in EXTENT}

    def _placeless(self) -> Json:
        """Plain JSON without what says only where, when and how it is kept."""
        data = self.to_json()
        for key in ("schedule", "promote", "notify", "priority", "over_quota", "record", *HIDDEN):
            del data[key]
        for key in ("constraints", "equivalent", "transfer"):
            if not data[key]:  # as before there was any
                del data[key]
        for option in plugins.load("executors", self.executor.name).place_options:
            data["executor"]["options"].pop(option, None)
        arms = [data, *data["arms"].values()]
        for owner in arms:
            owner.pop("twin", None)  # the twin is an arm of its own
            for key in [key for key in ("memory", "cpus", "gpus") if owner.get(key) is None]:
                owner.pop(key, None)  # as before there was any
        files = [(one, "dataset") for one in (data["task"], *data.get("transfer", ()))]
        files += [(data["task"], "test")]
        files += [(arm["space"], "name") for arm in arms if arm["space"]]
        files += [(arm["evaluator"]["options"], "file") for arm in arms if arm["evaluator"]]
        for owner, key in files:
            if isinstance(owner.get(key), str) and Path(owner[key]).is_absolute():
                owner[key] = Path(owner[key]).name
        return data
