"""Messages between driver and workers, as plain JSON. Use it from `automl.contracts`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Any

from automl.contracts.basics import Config, Json, PluginSpec, TrialState, storable
from automl.contracts.endings import Ending
from automl.contracts.holding import Held
from automl.contracts.leaving import Candidate, StoredFile, stored_files
from automl.contracts.memory import SearchMemory

LATE = "deadline"  # begins the reason of an outcome whose attempt had no time left
LONGEST_REASON = 10_000  # characters


@dataclass(frozen=True)
class Replay:
    """A whole search that one job runs in memory, on the simulated clock of its evaluator.

    `strategy` None: the job's own configuration is the only trial. `budget` in device-seconds and
    `trials` end it, None for no such limit. `finals`: fresh-seed values wanted of its winner.
    `top`: of so many of its best ones, too, before the winner is named.
    `least`: device-seconds of the cheapest trial, where they are known. `cut`: the device-seconds that trials
    had, by their numbers, which the end of an earlier, smaller budget has cut off. `memory`: of earlier
    campaigns.
    """

    strategy: PluginSpec | None
    pruner: PluginSpec
    seed: int
    budget: float | None
    trials: int | None
    finals: int
    least: float | None = None
    cut: dict[str, float] = field(default_factory=dict)
    memory: SearchMemory | None = None
    top: int = 1

    @property
    def wall_seconds(self) -> None:
        """None: on a simulated clock they are device-seconds."""
        return None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Replay:
        """The replay that `dataclasses.asdict` wrote."""
        strategy, pruner = data["strategy"], PluginSpec(**data["pruner"])
        memory = data.get("memory") and SearchMemory.from_json(data["memory"])
        strategy = strategy and PluginSpec(**strategy)
        return cls(**{**data, "strategy": strategy, "pruner": pruner, "memory": memory})


@dataclass(frozen=True)
class RunAddress:
    """The MLflow run of a trial, for code of the trial that logs there itself. It may hold a password."""

    tracking_uri: str = field(repr=False)
    experiment_id: str
    run_id: str


@dataclass(frozen=True)
class Job:
    """What a worker has to do: plain JSON, enough to evaluate one configuration anywhere.

    `remaining` and all other costs are device-seconds (wall seconds times `devices`).
    `deadline`: wall seconds after which the attempt is ended, also when it reports nothing: those of its
    evaluator, or fewer where less is left of the budget. `protocol` is the study's evaluator, by which a
    supernet's genotype is trained; or that of the arm, for a proposal that names an evaluator of its own.
    `final` marks a fresh-seed retraining, whose model is kept. `needs_value`: the search has none yet.
    `memory`: bytes that it may take beyond what its worker holds, None for any. `ranks`: processes that train
    it together, each with its part of the CPUs or a GPU of its own. With `replay` the job is a whole search,
    which `trial` names. `run`: where its code may log. `storage`: the URL of the folder to which its worker
    brings what it leaves; None where `workdir` is what the campaign reads too. `alone`: it holds a part of a
    GPU, but gets all of its memory, and no other trial runs there: an earlier attempt ran out of its part.
    `candidates`: of a final evaluation that combines trials (see `Evaluator.combined`), the best ones first.
    `refits`: the description of a model that is fitted again on all rows (see `Context.refits`); it has no
    value; `tested`: what has left it. `constraints`: the `Bounds` of metrics, by name, as plain JSON.
    """

    trial: str
    token: str
    attempt: int
    space: Json
    task: Json
    metrics: list[dict[str, str]]
    evaluator: PluginSpec
    protocol: PluginSpec
    config: Config
    seed: int
    workdir: str
    devices: float
    cpus: float
    gpus: float
    remaining: float | None
    deadline: float
    final: bool = False
    needs_value: bool = False
    import_path: list[str] = field(default_factory=list)
    memory: int | None = None
    ranks: int = 1
    replay: Replay | None = None
    run: RunAddress | None = None
    storage: str | None = None
    alone: bool = False
    candidates: list[Candidate] = field(default_factory=list)
    refits: Json | None = None
    tested: Candidate | None = None
    constraints: dict[str, Json] = field(default_factory=dict)

    @property
    def held(self) -> Held:
        """What it holds."""
        return Held(self.cpus, self.gpus, self.ranks)

    def late(self, device_seconds: float) -> Outcome:
        """The outcome of an attempt that was ended because no time was left."""
        reason = f"{LATE}: the trial took longer than {self.deadline:g} s"
        return Outcome(TrialState.FAILED, device_seconds, reason=reason)

    def to_json(self) -> Json:
        """The job as plain JSON values."""
        return asdict(self)

    def beyond(self, other: Job | None) -> Json:
        """What `to_json` writes, without the values that it shares with `other`; for whoever has that one.

        Equal values are not left out: 1 equals True.
        """
        own, known = vars(self), {} if other is None else vars(other)
        return {
            name: _plain(value)
            for name, value in own.items()
            if name not in known or known[name] is not value
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Job:
        """The job that `to_json` wrote."""
        fields = dict(data)
        fields["evaluator"] = PluginSpec(**fields["evaluator"])
        fields["protocol"] = PluginSpec(**fields["protocol"])
        fields["replay"] = fields.get("replay") and Replay.from_json(fields["replay"])
        fields["run"] = fields.get("run") and RunAddress(**fields["run"])
        fields["candidates"] = [Candidate.from_json(one) for one in fields.get("candidates", ())]
        fields["tested"] = fields.get("tested") and Candidate.from_json(fields["tested"])
        return cls(**fields)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


@dataclass(frozen=True)
class Report:
    """One intermediate value: `step` as the evaluator counts (epochs, folds), cost in device-seconds.

    `value` is None for metrics of a step that is not the trial's own (an epoch of a supernet).
    """

    step: int
    value: float | None
    device_seconds: float
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended. `values` has one entry per metric of the study, all finite, when complete.

    Texts are kept in a form that every store holds (`storable`).
    `derived` is the configuration a one-shot search found; `artifacts` are file names
    under `<workdir>/artifacts`. `trials`: those of a replayed search; `reason` then says why it ended.
    `error`: the class of what it failed by, an `Ending`. `files`: what its worker has brought to the job's
    storage, by path in the working folder; None without a storage.
    """

    state: TrialState
    device_seconds: float
    values: list[float] | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    derived: Config | None = None
    reason: str = ""
    traceback: str = ""
    artifacts: list[str] = field(default_factory=list)
    host: str = ""
    device: str = ""
    trials: list[Replayed] = field(default_factory=list)
    error: str = ""
    files: dict[str, StoredFile] | None = None

    @property
    def ending(self) -> Ending:
        """The class of its end."""
        if self.state is not TrialState.FAILED:
            return Ending.COMPLETE if self.state is TrialState.COMPLETE else Ending.PRUNED
        return Ending.DEADLINE if self.late else Ending(self.error or Ending.EXCEPTION)

    @property
    def late(self) -> bool:
        """Whether its executor ended it because no time was left."""
        return self.state is TrialState.FAILED and self.reason.startswith(LATE)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", storable(str(self.reason), LONGEST_REASON))
        object.__setattr__(self, "traceback", storable(str(self.traceback)))

    def to_json(self) -> Json:
        """The outcome as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Outcome:
        """The outcome that `to_json` wrote."""
        trials = [Replayed.from_json(trial) for trial in data.get("trials", ())]
        files = stored_files(data.get("files"))
        return cls(**{**data, "state": TrialState(data["state"]), "trials": trials, "files": files})


@dataclass(frozen=True)
class Replayed:
    """One trial of a replayed search, ended; a search lists its trials in the order in which they ended.

    `kind` is `trial`, `again` for a fresh-seed value that selects, `final` for one of the winner. Times
    are POSIX seconds of the replay itself; costs are those of the simulated clock.
    """

    kind: str
    number: int
    config: Config
    seed: int
    outcome: Outcome
    reports: list[Report]
    started_at: float
    finished_at: float

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Replayed:
        """The trial that `dataclasses.asdict` wrote."""
        reports = [Report(**report) for report in data["reports"]]
        return cls(**{**data, "outcome": Outcome.from_json(data["outcome"]), "reports": reports})
