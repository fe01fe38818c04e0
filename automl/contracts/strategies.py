"""The contracts of strategies, which propose configurations, and of pruners, which end trials early."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from automl.contracts.basics import Json, Metric, PluginSpec, UserError
from automl.contracts.basics import Options as BaseOptions
from automl.contracts.evaluators import Builder

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

    from automl.space import Space

Remembers: TypeAlias = Literal["history", "proposals", "nothing"]


class Strategy(ABC):
    """Proposes configurations. A plug-in is a subclass that takes its validated `Options`.

    A new sampler is made for every proposal, so whatever it must remember belongs into Optuna's
    trial and study system attributes, written while it proposes, as plain JSON.

    Class attributes, each with its default:

    - `Options` (none): the options of the strategy; unknown ones are refused.
    - `example_options` (none): options, as a study file writes them, with which a contract suite builds it:
      such that a few dozen trials reach every phase of the method.
    - `max_objectives` (None): the largest number of metrics that it can search by; None for any.
    - `conditional` (True): it can search a space with conditional parameters.
      A study that asks for more than these two allow is refused.
    - `builder` (None): what the space must build and the arm's evaluator must train.
    - `remembers` ("proposals"): what it can take of earlier campaigns. Their best configurations as the first
      proposals; besides them, earlier trials as its "history" (complete trials of the study with number -1,
      seen while it proposes); or "nothing", as a baseline, which gets no portfolio of the space either.
    - `learns` (True): its proposals depend on how earlier trials have ended. Where they do not, it may be
      asked for many before any has ended.
    - `constrained` (False): its samplers read `FrozenTrial.constraints` of ended trials, how far each is
      beyond the constraints of its study. Without that they see such a trial as one that is pruned.
    - `compares_reports` (True): its samplers look at what complete trials have reported on their way. Without
      that, and without a pruner that prunes, a search is continued without reading those reports.
    """

    Options: ClassVar[type[BaseOptions]] = BaseOptions
    example_options: ClassVar[Mapping[str, Any]] = {}
    max_objectives: ClassVar[int | None] = None
    conditional: ClassVar[bool] = True
    builder: ClassVar[Builder | None] = None
    remembers: ClassVar[Remembers] = "proposals"
    learns: ClassVar[bool] = True
    constrained: ClassVar[bool] = False
    compares_reports: ClassVar[bool] = True

    options: BaseOptions

    def __init__(self, options: BaseOptions) -> None:
        self.options = options

    @abstractmethod
    def sampler(self, space: Space, metrics: list[Metric], seed: int, search_seed: int) -> BaseSampler:
        """A sampler for one trial, of a space and metrics that `check_search` accepts.

        `seed` differs between trials, `search_seed` does not. Raises `UserError` when it cannot
        search this space or these metrics for other reasons.
        """

    def check_search(self, space: Space, metrics: list[Metric]) -> None:
        """Raise `UserError` for more metrics than `max_objectives`, or conditions without `conditional`."""
        most, name = self.max_objectives, type(self).__name__
        if most is not None and len(metrics) > most:
            raise UserError(
                f"the strategy {name} searches by at most {most} metric{'s' * (most > 1)}, "
                f"but got {', '.join(metric.name for metric in metrics)}; remove metrics or take another "
                "strategy (automl list strategies)"
            )
        conditional = [key for key, parameter in space.parameters.items() if parameter.when]
        if conditional and not self.conditional:
            raise UserError(
                f"the strategy {name} searches parameters without conditions only, but got "
                f"{', '.join(conditional)} with conditions; fix their parents or take another strategy "
                "(automl list strategies)"
            )

    @property
    def evaluators(self) -> tuple[PluginSpec, ...]:
        """The evaluators that its proposals may name instead of the arm's own. The default names none."""
        return ()

    def default_trial(self) -> int | None:
        """The number of the trial that evaluates the space's default configuration; None: no trial does.

        It is the first one by default, so a search has an early value also where others cost much; none for
        a strategy whose proposals name evaluators.
        """
        return None if self.evaluators else 0

    def proposals(self, space: Space) -> int | None:
        """How many configurations it proposes before it has nothing left; None (the default): no end."""
        return None

    def remembered_attributes(self) -> Json:
        """Plain JSON to keep with a first proposal of memory, so that its samplers know it as their own."""
        return {}


class Pruner(ABC):
    """Says when a trial is not worth continuing. A plug-in is a subclass that takes its validated `Options`.

    Class attributes, each with its default:

    - `Options` (none): the options of the pruner; unknown ones are refused.
    - `example_options` (none): options, as a study file writes them, with which a contract suite builds it.
    - `prunes` (True): it may end trials early.
    """

    Options: ClassVar[type[BaseOptions]] = BaseOptions
    example_options: ClassVar[Mapping[str, Any]] = {}
    prunes: ClassVar[bool] = True

    options: BaseOptions

    def __init__(self, options: BaseOptions) -> None:
        self.options = options

    @abstractmethod
    def pruner(self, metric: Metric) -> BasePruner:
        """The pruner of a search for `metric`. Its answers depend on the study alone."""

    def rungs(self, steps: int) -> list[int]:
        """The steps, rising, at which it compares a trial of `steps` steps; [] (the default): at any."""
        return []
