"""What follows a search: its best configurations are evaluated again, then its winner is retrained.

Both are counted by configuration, so that a search that has grown keeps what still belongs to it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count

from automl import plugins
from automl.campaign.search import Incumbent
from automl.campaign.settings import SearchSettings
from automl.contracts import Outcome, Tabular, TrialState, derive_seed, digest
from automl.ledger import STOPPED, TrialRow
from automl.selection import AFTER, AGAIN, FINAL, NOT_AGAIN, REFIT, TRANSFER, shares
from automl.stopping import LIMITS


@dataclass(frozen=True)
class Next:
    """An evaluation that follows a search, of a configuration; `dataset`: on another one than the study's."""

    kind: str
    one: Incumbent
    dataset: str | None = None


@dataclass
class Afterwards:
    """The evaluations of one search that it does not pay for. `seed`: of the search.

    `values`: of evaluations again, by the key of their configuration. `cut`: one of them was ended by a
    limit or a user, so that the values select nothing. `cost`: device-seconds of all that have ended;
    `retrained`: how many retrainings have; `fits`: what the last complete one cost, by the same key.
    """

    settings: SearchSettings
    seed: int
    values: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    cut: bool = False
    cost: float = 0.0
    retrained: int = 0
    fits: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._started: Counter[str] = Counter()  # by kind
        # seeds by kind, dataset and configuration
        self._of: defaultdict[tuple[str, str | None, str], list[int]] = defaultdict(list)

    def restore(self, rows: Iterable[TrialRow]) -> None:
        """Count what the ledger has. What was cut, retrainings apart, and lost models are made anew."""
        for row in rows:
            if row.kind not in AFTER:
                continue
            self._started[row.kind] += 1
            self.cost += row.device_seconds
            if row.lost is not None:
                continue
            if not (row.kind in (AGAIN, REFIT) and _was_cut(row.state, row.reason)):
                self._of[row.kind, row.dataset, digest(row.config)].append(row.seed)
            self.retrained += row.kind == FINAL and row.state is not TrialState.RUNNING
            self._keep(row, row.state, row.values, row.device_seconds)

    def missing(self, wanted: Next) -> int:
        """How many more evaluations of that kind, on that dataset, a configuration needs."""
        return max(0, self._wanted(wanted.kind, wanted.one) - len(self._of[_key(wanted)]))

    def of_winner(self, winner: Incumbent) -> Next | None:
        """The next evaluation of the winner: a retraining, then a training on another dataset."""
        others = (Next(TRANSFER, winner, dataset) for dataset in self.settings.transfer)
        return next((one for one in (Next(FINAL, winner), *others) if self.missing(one)), None)

    def start(self, starting: Next) -> tuple[int, int]:
        """Count one that starts now: its number, and its seed."""
        kind, one = starting.kind, starting.one
        number, had = self._started[kind], self._of[_key(starting)]
        self._started[kind] += 1
        if self._table is None:
            seeds = (derive_seed(self.seed, kind, nth) for nth in count())
            seed = next(seed for seed in seeds if seed not in had)  # that of a lost one is free again
        else:
            nth = len(had)
            seed = nth if kind == FINAL else len(self._table.fresh(one.trained)) - 1 - nth
        had.append(seed)
        return number, seed

    def end(self, row: TrialRow, outcome: Outcome) -> None:
        """Take the end of one."""
        self.cost += outcome.device_seconds
        self.retrained += row.kind == FINAL
        self._keep(row, outcome.state, outcome.values, outcome.device_seconds)
        self.cut = self.cut or (row.kind == AGAIN and _was_cut(outcome.state, outcome.reason))

    def _keep(self, row: TrialRow, state: TrialState, values: list[float] | None, cost: float) -> None:
        if state is not TrialState.COMPLETE:
            return
        if row.kind == AGAIN and values:
            self.values[digest(row.config)].append(values[0])
        elif row.kind == FINAL:
            self.fits[digest(row.config)] = cost

    def _wanted(self, kind: str, one: Incumbent) -> int:
        if kind == REFIT:
            return 1 if self.settings.refit else 0
        if self._table is None:
            return self.settings.finals
        again, final = shares(len(self._table.fresh(one.trained)), self.settings.finals)
        return again if kind == AGAIN else final

    @cached_property
    def _table(self) -> Tabular | None:
        """What looks fresh values up, where some of them select the winner and others are reported."""
        if not self.settings.simulated or self.settings.top == 1 or not self.settings.finals:
            return None
        evaluator = plugins.build("evaluators", self.settings.evaluator)
        return evaluator if isinstance(evaluator, Tabular) else None


def _key(one: Next) -> tuple[str, str | None, str]:
    return one.kind, one.dataset, one.one.key


def _was_cut(state: TrialState, reason: str | None) -> bool:
    """Whether a limit of the campaign or a user has ended it."""
    begins = (reason or "").removeprefix(NOT_AGAIN).startswith((LIMITS, STOPPED))
    return state in (TrialState.PRUNED, TrialState.FAILED) and begins
