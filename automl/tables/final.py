"""The retraining of a search's winner on all training rows: alone, or with others that predict with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np

from automl.contracts import (
    COMBINED,
    COMBINED_VALUE,
    THRESHOLD,
    THRESHOLD_PLAIN,
    THRESHOLD_VALUE,
    Candidate,
    Config,
    Context,
    Json,
    RunError,
    derive_seed,
    digest,
)
from automl.tables.cross_validation import read
from automl.tables.ensembles import Ensemble
from automl.tables.folds import folds
from automl.tables.model import TableModel
from automl.tables.needs import Allowance
from automl.tables.selection import Held, Pool, Selected
from automl.tables.thresholds import Threshold, choose

OF_A_FOLD: Final = 1.5  # times the cost of a fold: more rows are fitted, and cost may grow faster
SPARE: Final = 1.5  # times what a fit is expected to take must be left


@dataclass(frozen=True)
class Member:
    """A configuration that predicts with others, by the `trial` that evaluated it; fitted with `seed`."""

    trial: str
    config: Config
    seed: int
    weight: float

    def to_json(self) -> Json:
        """For the file that describes a model."""
        return asdict(self)


@dataclass(frozen=True)
class Fitted:
    """What a retraining has fitted. `members`: of an ensemble, the winner first; none where that is alone.

    `value`: of the ensemble, see `Selected`; `notes`: what should be known. `held`: its predictions of the
    rows that folds held out, fold after fold; None where none were kept. `threshold`: None where the larger
    probability decides.
    """

    model: TableModel | Ensemble
    notes: list[str]
    members: Sequence[Member] = ()
    value: float | None = None
    held: np.ndarray | None = None
    threshold: Threshold | None = None

    @property
    def metrics(self) -> dict[str, float]:
        """What is recorded of an ensemble, and of a threshold."""
        found = {} if self.value is None else {COMBINED: len(self.members), COMBINED_VALUE: self.value}
        if (one := self.threshold) is None:
            return found
        return {**found, THRESHOLD: one.value, THRESHOLD_VALUE: one.other, THRESHOLD_PLAIN: one.plain}


@dataclass
class Combining:
    """Fits the winner of a search and, where they predict better together, other trials of it.

    Each with a seed of its own: forests of like configurations are otherwise the same trees.

    `make` gives a model of a configuration and a seed; `allowance`: what an ensemble may need; `count`: of
    folds; `steps`: of the selection, 0 for the winner alone; `decides`: a threshold is chosen, too;
    `weights`: of the training rows. Fits for which no time is left are left out; the winner alone always is
    a model.
    """

    context: Context
    make: Callable[[Config, int], TableModel]
    allowance: Allowance
    count: int
    steps: int
    decides: bool = False
    weights: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)

    def fit(self, config: Config) -> Fitted:
        """Fit `config`, then what is combined with it."""
        began = time.perf_counter()
        winner = self._fitted(config, self.context.seed)
        seconds = (time.perf_counter() - began) * self.context.devices
        if not self.steps and not self.decides:
            return Fitted(winner, self.notes)
        known: list[tuple[Candidate, np.ndarray]] = []
        found = Fitted(winner, self.notes)
        try:
            known = self._known(config)
            found = replace(found, held=known[0][1] if known else None)
            found = (self._combined(known, winner, seconds) if known and self.steps else None) or found
        except Exception as error:  # such as too little memory: the winner is a model
            text = f"the best configuration alone, no ensemble: {type(error).__name__}: {error}"
            found = replace(found, notes=[*self.notes, text])
        return self._deciding(found, known) if known and self.decides else found

    def _deciding(self, found: Fitted, known: Sequence[tuple[Candidate, np.ndarray]]) -> Fitted:
        """The same with a threshold, where that is better on folds that have not chosen it."""
        weights = {one.trial: one.weight for one in found.members} or {known[0][0].trial: 1.0}
        parts = [weights[one.trial] * held.astype(np.float64) for one, held in known if one.trial in weights]
        chosen = choose(self._held, np.sum(parts, axis=0))
        name, label = self.context.metrics[0].name, self.context.task.label(1)
        if chosen is None:
            text = f"no threshold: none for {label!r} is better by {name} on folds that have not chosen it"
            return replace(found, notes=[*found.notes, text])
        text = (
            f"{label!r} is predicted from a probability of {chosen.value:.3g} on: {name} {chosen.score:.6g} "
            f"over the folds, which chose it; on folds that have not, {chosen.other:.6g}, and "
            f"{chosen.plain:.6g} where the larger probability decides"
        )
        return replace(found, notes=[*found.notes, text], threshold=chosen)

    def _fitted(self, config: Config, seed: int) -> TableModel:
        train = self.context.task.train
        model = self.make(config, seed).fit(train.x, train.y, self.weights)
        self.notes += [note for note in model.notes if note not in self.notes]
        return model

    def _combined(
        self, known: Sequence[tuple[Candidate, np.ndarray]], winner: TableModel, seconds: float
    ) -> Fitted | None:
        """The ensemble; None, and why in the notes, where there is none. `seconds`: of the winner's fit."""
        slower = max(1.0, seconds / max(self._cost(known[0][0]), 1e-9))
        costs = [slower * self._cost(one) for one, _ in known]
        most = self.context.remaining / SPARE
        pool = Pool(self._held, [found for _, found in known], self.steps, costs, most)
        selected = pool.selected()
        if selected is None:
            self.notes.append(f"the best configuration alone, no ensemble: {_why(costs, most)}")
            return None
        self.allowance.count(winner)
        models = {0: winner, **dict(self._others(known, selected, costs))}
        if len(models) < len(selected.weights):
            places = list(models)
            again = Pool(self._held, [known[place][1] for place in places], self.steps).selected()
            if again is None:
                self.notes.append(
                    "the best configuration alone: what else was fitted does not make it better"
                )
                return None
            weights = {places[place]: weight for place, weight in again.weights.items()}
            selected = replace(again, weights=weights)
        return self._ensemble(selected, models, known)

    def _ensemble(
        self, selected: Selected, models: dict[int, TableModel], known: Sequence[tuple[Candidate, np.ndarray]]
    ) -> Fitted:
        weights = selected.weights
        members = [
            Member(known[place][0].trial, known[place][0].config, models[place].seed, weight)
            for place, weight in weights.items()
        ]
        model = Ensemble([models[place] for place in weights], list(weights.values()))
        name = self.context.metrics[0].name
        shown = ", ".join(f"{_number(one.trial)} ({one.weight:.0%})" for one in members)
        text = (
            f"an ensemble of the trials {shown}: {name} {selected.value:.6g} over the folds; on folds that "
            f"have not chosen, {selected.other:.6g}, and {selected.alone:.6g} by the best one alone"
        )
        held = sum(np.float64(weight) * known[place][1] for place, weight in weights.items())
        return Fitted(model, [text, *self.notes], members, selected.value, np.asarray(held))

    def _others(
        self, known: Sequence[tuple[Candidate, np.ndarray]], selected: Selected, costs: Sequence[float]
    ) -> Iterator[tuple[int, TableModel]]:
        """The members but the first, fitted, those of the largest weights first."""
        late = []
        for place in sorted(selected.weights, key=lambda one: (-selected.weights[one], one)):
            one = known[place][0]
            if place == 0:
                continue
            if SPARE * costs[place] > self.context.remaining:
                late.append(_number(one.trial))
                continue
            try:
                model = self._fitted(one.config, derive_seed(self.context.seed, digest(one.config)))
                if why := self.allowance.refuses(model):
                    self.notes.append(f"trial {_number(one.trial)} is left out of the ensemble: {why}")
                    continue
                yield place, model
            except Exception as error:  # the winner is a model
                self.notes.append(f"trial {_number(one.trial)} cannot be fitted again: {error}")
        if late:
            self.notes.append(f"no time was left to fit the trials {', '.join(late)} for the ensemble")

    def _known(self, config: Config) -> list[tuple[Candidate, np.ndarray]]:
        """The trials whose predictions can be read, the winner first; none without the winner's."""
        task = self.context.task
        shape = (sum(map(len, self._held.parts)), *((task.classes,) if task.classes else ()))
        known, lost = [], []
        for one in self.context.candidates:
            try:
                with self.context.kept_by(one) as folder:
                    known.append((one, read(folder, shape, task.digest)))
            except RunError as error:
                lost.append(f"{_number(one.trial)} ({error})")
        if lost:
            more = f" and {len(lost) - 2} more" if len(lost) > 2 else ""
            self.notes.append(f"trials without predictions that can be read: {', '.join(lost[:2])}{more}")
        own = next((place for place, (one, _) in enumerate(known) if one.config == config), None)
        if own is None:
            what = "no ensemble" if self.steps else "no threshold"
            what += " and no threshold" if self.steps and self.decides else ""
            self.notes.append(f"the best configuration alone, {what}: it has no predictions to combine")
            return []
        return [known[own], *known[:own], *known[own + 1 :]]

    @cached_property
    def _held(self) -> Held:
        task = self.context.task
        return Held(self.context.metrics[0], [task.train.y[held] for _, held in folds(task, self.count)])

    def _cost(self, one: Candidate) -> float:
        """Device-seconds that a fit on all training rows is expected to take."""
        return one.cost / self.count * OF_A_FOLD


def _why(costs: Sequence[float], most: float) -> str:
    """Why nothing was selected. `costs`: of fits, the first one's too; `most`: of the others together."""
    if len(costs) == 1:
        return "no other trial has predictions to combine"
    if min(costs[1:]) > most:
        return "no time was left to fit another one"
    return f"of the best {len(costs)} trials none makes the best one better"


def _number(trial: str) -> str:
    return trial.rpartition("/")[2]
