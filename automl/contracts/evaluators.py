"""The contract of evaluators: plug-ins that say how good a configuration is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from pydantic import Field

from automl.contracts.basics import Config, Metric, Options, PluginSpec, UserError
from automl.contracts.context import Context, Result
from automl.contracts.data import Split, Task, TaskOutline

if TYPE_CHECKING:
    from automl.space import Space

Builder: TypeAlias = Literal["network", "supernet"]
Mistakes: TypeAlias = Iterable[tuple[str, str]]  # an option, and what is wrong with it


class EvaluatorOptions(Options):
    """Base of an evaluator's options. `deadline`: wall seconds that one trial may take."""

    deadline: float = Field(3600, gt=0)


@dataclass(frozen=True)
class BaselineArm:
    """An arm that an evaluator adds to a study: its name, the name of its space, its strategy."""

    name: str
    space: str
    strategy: PluginSpec


class Evaluator(ABC):
    """Says how good a configuration is. A plug-in is a subclass that takes its validated `Options`.

    Class attributes, each with its default:

    - `Options` (`EvaluatorOptions`): the options of the evaluator; unknown ones are refused.
    - `example_options` (none): options, as a study file writes them, with which the checks of the contract
      build it and run short trials; needed when `Options` has fields without a default.
    - `example_space` (None): a small space with which the checks run trials. They know one for an evaluator
      with a `builder`; for another one without it, they run none.
    - `needs_data` (False): the study must name a dataset, and its metrics must be known ones.
    - `needs_episodes` (False): the task must be few-shot; an evaluator without it refuses such a task.
    - `builder` (None): what the space must build for it, `network` or `supernet`.
    - `one_shot` (False): one trial searches the whole space and returns a `derived` configuration. Such an
      evaluator belongs to an arm without a strategy; the study's evaluator trains what it derived.
    - `simulated` (False): values and costs are looked up, and the clock is simulated (see `Tabular`).
    - `reruns_without_data` (False): a final evaluation needs no dataset: it is one more evaluation with a
      fresh seed.
    - `cross_validates` (False): its value is a mean over folds of the training rows. That estimates better
      than one retraining on the validation rows, so the exported winner is chosen by it.
    - `returns_early` (False): in a search without a value (`context.needs_value`) it returns what it has
      reached once the budget is used up, so it is not cut off there at once.
    - `options_fix_parameters` (False): an option that the study writes fixes the parameter of that name in
      the spaces of its arms.
    - `uses_mlflow` (True): its code may log to MLflow by itself; the run of a trial is then made before the
      trial starts, and is the active one in it.
    - `libraries` (none): modules that `evaluate` imports late because they are slow to import. A worker
      imports them before the clock of a trial runs, so that no arm pays for being first.
    - `refits` (False): it can fit again, on other rows, what a final evaluation has left (see
      `Context.refits`).
    - `leaves` (None): the kind of model that a final evaluation leaves in `<workdir>/model`: `network`
      (`config.json` and `weights.pt` of `automl.training.saved`), `learner` (the same of
      `automl.metatraining`), `table` (a fitted pipeline of `automl.tables.saved`), or None for a folder that
      only `score` of this evaluator can read.
    """

    Options: ClassVar[type[EvaluatorOptions]] = EvaluatorOptions
    example_options: ClassVar[Mapping[str, Any]] = {}
    example_space: ClassVar[Space | None] = None
    needs_data: ClassVar[bool] = False
    needs_episodes: ClassVar[bool] = False
    builder: ClassVar[Builder | None] = None
    one_shot: ClassVar[bool] = False
    simulated: ClassVar[bool] = False
    reruns_without_data: ClassVar[bool] = False
    cross_validates: ClassVar[bool] = False
    returns_early: ClassVar[bool] = False
    options_fix_parameters: ClassVar[bool] = False
    uses_mlflow: ClassVar[bool] = True
    libraries: ClassVar[tuple[str, ...]] = ()
    refits: ClassVar[bool] = False
    leaves: ClassVar[Literal["network", "learner", "table"] | None] = None

    options: EvaluatorOptions

    def __init__(self, options: EvaluatorOptions) -> None:
        self.options = options

    @abstractmethod
    def evaluate(self, config: Config, context: Context) -> Result:
        """Evaluate `config`; may report, save checkpoints and write artifacts on the way.

        With `context.final` the model is left in `<workdir>/model`, for `score`.
        """

    def score(self, model: Path, task: Task, data: Split, metrics: list[Metric]) -> dict[str, float]:
        """Metrics on `data` of the model that a final evaluation left in the folder `model`.

        The default raises `UserError`: there is no model.
        """
        raise UserError(
            f"a test needs a model that can be loaded, but the evaluator {type(self).__name__} leaves none; "
            "write final: {seeds: 0} in the study file"
        )

    def check_data(self, task: Task, space: Space, protocol: Evaluator) -> None:
        """Raise `UserError` for data that it cannot work with; called once, before the campaign starts.

        `protocol`: the study's evaluator, by which a derived configuration is trained. The default
        accepts all data.
        """
        return

    def check_code(self) -> None:
        """Raise `UserError` for code that the options name and that is missing or of the wrong kind.

        It is imported, but nothing of it is called: `automl check` asks. The default names no code.
        """
        return

    def most_ranks(self) -> int | None:
        """How many processes can train a trial of its together; None: its code itself uses all devices.

        All of them run `evaluate` with the same seed and the joint batch, which `automl.ranks` divides.
        The default is 1: the code knows of one device.
        """
        return 1

    def least_cost(self) -> float | None:
        """Device-seconds that a trial costs at least, where it knows them; the default does not."""
        return None

    def measures(self) -> Collection[str] | None:
        """The metrics that its results hold, besides those of the study, where a constraint names them.

        None (the default): it is not known before a trial; a result that lacks one fails.
        """
        return None

    def combined(self) -> int:
        """How many of the best trials of a search a final evaluation may combine; the default: none.

        So many, each of another configuration, keep the folder `KEPT` of their working folder; that of
        others is removed. The final evaluation of a search's winner gets them as `context.candidates`; one
        on another dataset, or outside of a campaign, gets none. One that has combined some returns the metric
        `COMBINED`, how many, and `COMBINED_VALUE`, and says which in its note; one that has chosen a
        threshold by what they keep returns `THRESHOLD`, `THRESHOLD_VALUE` and `THRESHOLD_PLAIN`.
        """
        return 0

    def mistakes(self, space: Space, task: TaskOutline) -> Mistakes:
        """What keeps these options from serving `space` and `task`, before any data are read.

        Pairs of an option (empty: all of them) and a text: the rule, the value, what to do. The
        default finds nothing.
        """
        return []

    def rung_options(self, rungs: Callable[[int], list[int]], space: Space | None) -> Mapping[str, Any]:
        """Options by which trials are trained in an arm whose pruner compares them at `rungs(steps)`.

        `steps`: how many steps a trial has. The default changes nothing.
        """
        return {}

    @classmethod
    def fixing_options(cls, options: Mapping[str, Any], space: Space, *, shared: bool) -> set[str]:
        """Names of those written `options` that fix the parameters of the same names in `space`.

        `shared`: the options are the study's, and the space is an arm's own. The default takes all where
        `options_fix_parameters` is true, and none elsewhere.
        """
        return set(options) if cls.options_fix_parameters else set()

    @classmethod
    def completed_options(cls, options: Mapping[str, Any], task: TaskOutline) -> Mapping[str, Any]:
        """`options` as a study file writes them, with what depends on the task written out."""
        return options

    @classmethod
    def baseline_arms(cls, task: TaskOutline) -> list[BaselineArm]:
        """Arms that every study of this evaluator gets beside the random one. The default has none."""
        return []


class TabularOptions(EvaluatorOptions):
    """`file`: the benchmark file. `fresh`, `test`: columns with a winner's fresh-seed and test values."""

    file: str = Field(min_length=1)
    fresh: str | None = None
    test: str | None = None


class Tabular(Evaluator):
    """An evaluator that looks values and costs up in a benchmark file: trials run on a simulated clock."""

    Options: ClassVar[type[TabularOptions]] = TabularOptions
    simulated: ClassVar[bool] = True
    uses_mlflow: ClassVar[bool] = False

    options: TabularOptions

    @abstractmethod
    def fresh(self, config: Config) -> list[float]:
        """Fresh-seed validation values of a configuration. Raises `UserError` without such a column."""
