"""The contract of executors, plug-ins that say where trials run, and the campaign as they see it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol

from automl.contracts.basics import Json, PluginSpec, UserError
from automl.contracts.basics import Options as BaseOptions
from automl.contracts.endings import Ending
from automl.contracts.holding import Held, Room
from automl.contracts.messages import Job, Outcome, Report

THIS_HOST: Final = "this host"  # a place that is the machine of the campaign's own process


class JobSource(Protocol):
    """The campaign as executors see it: they pull jobs and push what happens to them."""

    def next_job(self, held: Held | None = None) -> Job | None:
        """The next job, by `held` one that holds just that; None when there is none now (see `finished`)."""

    @property
    def finished(self) -> bool:
        """No job is open and none will come."""

    @property
    def share(self) -> int | None:
        """How many jobs may be open now, since others run at the same place; None for no bound.

        `next_job` gives none beyond it (see `Executor.slots_held`). It may be 0, and changes by other
        campaigns, at most a few times a minute for each slot (see `Executor.turn`): workers beyond it are
        closed when their job has ended, so that others can have their devices. No job that is open is ended
        for it. May be read by any thread.
        """

    @property
    def learns(self) -> bool:
        """Whether jobs depend on how earlier ones end: then few are to be asked for before those have."""

    def divide(self, rooms: Sequence[Room], most: int | None, turn: float) -> Mapping[Held, int]:
        """How many jobs of each size shall be open in `rooms` now, at most `most` together.

        For an executor some of whose jobs hold more than others (see `Executor.sizes`): by what each size
        could use, and has had. `turn`: seconds for which it is worth it that a worker makes way for another.
        """

    def report(self, trial: str, token: str, report: Report) -> str | None:
        """Take a report; a reason ends the trial, None lets it continue."""

    def time_left(self, trial: str, token: str, elapsed: float) -> float:
        """Wall seconds that an attempt may go on after `elapsed` device-seconds; at 0 it must be ended.

        Follows what is left of the budget, so it also changes by what other trials use, and is 0 at once when
        a user stops a trial: ask several times a second, or when `Executor.wake` is called. An executor that
        ends an attempt by it says so to `finish` as for `Job.deadline`.
        """

    def finish(self, trial: str, token: str, outcome: Outcome) -> None:
        """Take the end of an attempt."""

    def lost(
        self, trial: str, token: str, reason: str, ending: Ending = Ending.LOST, used: float | None = None
    ) -> None:
        """The attempt's worker died: retry it from its checkpoint or fail it.

        `ending`: PREEMPTED when its machine was taken away, OOM when it was killed for its memory.
        `used`: device-seconds of the attempt at its last sign of life; None: it has just died.
        """

    def tell(self, text: str) -> None:
        """Show the user a line about where trials run: what is waited for, what was started again.

        May be called from any thread.
        """


@dataclass(frozen=True)
class Luggage:
    """What trials need where they run, besides this package.

    `folder`: that of the study, with its code. `files`: data files and folders that the study names.
    `plugins`: folders of plug-ins, in the order in which they are looked through.
    """

    folder: Path
    files: tuple[Path, ...] = ()
    plugins: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Needs:
    """What must work where trials run: paths are the driver's.

    `import_path`: folders of the study's code. `evaluators`, `spaces`: what is imported. `task`: a study's
    task as plain JSON, None without data; `digest`: of the data as the driver has read them. `folder`: where
    trials write; `storage`: the URL to which they bring what they leave, None where that is `folder`.
    `mark`: a number in `folder` by which it is known, "" where nobody asks. `models`: whether the driver
    reads models that trials leave.
    """

    import_path: list[str]
    evaluators: list[PluginSpec]
    spaces: list[Json]
    task: Json | None = None
    digest: str = ""
    folder: str = ""
    storage: str | None = None
    mark: str = ""
    models: bool = False

    def to_json(self) -> Json:
        """Plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Needs:
        """The needs that `to_json` wrote."""
        return cls(**{**data, "evaluators": [PluginSpec(**spec) for spec in data["evaluators"]]})


class Executor(ABC):
    """Where trials run. A plug-in is a subclass that takes its validated `Options`.

    - `Options` (none): the options of the executor; unknown ones are refused.
    - `example_options` (none): options, as a study file writes them, with which a contract suite builds it.
    - `place_options` (none): names of options that say where trials run but cannot change a result; they do
      not belong to a campaign's identity.
    - `cpus`, `gpus`: what each trial holds whose arm does not say so itself.
    - `ranks` (1): processes that train each trial together, dividing what it holds.
    - `sizes` (that alone): what trials hold, one entry for each that differs; set by `serve` before `check`.
    - `trials_at_once`: how many run at a time: what is expected before `check`, exact after it; it may change
      while they run. Where more than one trial runs at a time, an executor may hold a few more jobs that have
      not begun, to keep its workers busy; one that never begins is `lost` with PREEMPTED and `used` 0.
    - `storage` (None): where its workers bring what trials leave, as its options say: a URL or an absolute
      path. Without one it is what `AUTOML_STORAGE` names.
    - `shares_folder` (False): its trials work in the store's folder, whatever `AUTOML_STORAGE` names.
    - `in_process` (False): trials run in the process of the campaign, so objects of it can serve them.
    - `place` (None): where its trials run, in a name that is the same for all campaigns which run there:
      they share it, slot by slot. `THIS_HOST`: the machine of this process; None: nothing is shared.
    - `rooms` (none): the machines of that place. None at all: they are not known, and nobody is bounded.
    - `slots_held` (None): how many slots its workers hold now, for an executor whose workers take several
      jobs at a time, or outlive them: it then keeps them within `JobSource.share` itself. None: each open
      job holds one, and `next_job` keeps to the share.
    - `restart` (None): wall seconds until a trial could begin in place of one that is ended now, 0 where a
      worker with all code and data waits; it changes while trials run. None: not known; the campaign goes by
      what starts have taken.
    - `turn` (30): seconds for which a slot is worth opening, before it goes to another campaign.

    `place` and `rooms` are exact after `check`. `trials_at_once`, `rooms` and `slots_held` are looked at
    every second by another thread, and may change while trials run.
    """

    Options: ClassVar[type[BaseOptions]] = BaseOptions
    example_options: ClassVar[Mapping[str, Any]] = {}
    place_options: ClassVar[frozenset[str]] = frozenset()

    options: BaseOptions
    cpus: float = 1.0
    gpus: float = 0.0
    ranks: int = 1
    trials_at_once: int = 1
    in_process: bool = False
    place: str | None = None
    rooms: Sequence[Room] = ()
    slots_held: int | None = None
    turn: float = 30.0
    storage: str | None = None
    shares_folder: bool = False
    sizes: Sequence[Held] = ()

    def __init__(self, options: BaseOptions) -> None:
        self.options = options

    @property
    def held(self) -> Held:
        """What a trial holds whose arm does not say so itself."""
        return Held(self.cpus, self.gpus, self.ranks)

    @property
    def slot(self) -> Held:
        """What the largest trial holds: a slot at the place where it runs."""
        sizes = self.sizes or (self.held,)
        cpus, gpus = max(one.cpus for one in sizes), max(one.gpus for one in sizes)
        return Held(cpus, gpus, max(one.ranks for one in sizes))

    def held_by(self, cpus: float | None, gpus: float | None) -> Held:
        """What a trial holds whose arm asks for so much; None: what others hold.

        Raises `UserError` where all trials must hold the same, or none can hold that.
        """
        raise UserError("its trials all hold the same; leave cpus and gpus of arms out, or use executor: ray")

    @property
    def restart(self) -> float | None:
        """Wall seconds until a trial could begin in place of one that is ended; see the class."""
        return None

    def serve(self, sizes: Sequence[Held]) -> None:
        """Note what trials will hold. Called before `check`."""
        self.sizes = tuple(dict.fromkeys(sizes))

    def bring(self, luggage: Luggage) -> None:  # noqa: B027 - most executors run where everything is
        """Take what trials need to the places where they will run. Called before `check`.

        Raises `UserError` when that cannot travel.
        """

    def examine(self, needs: Needs, tell: Callable[[str], None]) -> None:  # noqa: B027 - as above
        """Look whether trials can run where they will, before the first is asked for; after `check`.

        Tells a line for each place, and which is left out and why. Raises `UserError` when none is left.
        """

    @abstractmethod
    def check(self) -> None:
        """Start what it needs. Raises `UserError` when no node has the resources a trial asks for."""

    @abstractmethod
    def run(self, source: JobSource) -> None:
        """Run jobs from `source` until it is finished."""

    def wake(self) -> None:  # noqa: B027 - most executors need not do anything
        """Ask `time_left` of every open trial soon: one may have to end. Called from another thread.

        Nothing to do for an executor that asks several times a second anyway.
        """

    @abstractmethod
    def close(self) -> None:
        """Release all workers; may be called twice, and before `check`."""
