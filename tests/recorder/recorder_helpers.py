from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlflow.entities import Run
from patience import PATIENCE

from automl.contracts import Config, Outcome, Report, TrialState
from automl.ledger import CampaignRow, Ledger, NewTrial, Store, TrialRow, owner_identity
from automl.recorder import Recorder
from automl.recorder.experiments import make_client

SPEC: dict[str, Any] = {
    "name": "demo",
    "task": {"dataset": "digits", "metrics": [{"name": "accuracy", "direction": "maximize"}]},
    "evaluator": {"name": "network", "options": {"epochs": 8}},
    "budget": {"device_seconds": 60.0, "trials": None, "wall_seconds": None},
    "seeds": [0],
    "arms": {
        "random": {"strategy": {"name": "random", "options": {}}, "pruner": {"name": "none", "options": {}}},
        "tpe": {"strategy": {"name": "tpe", "options": {}}, "pruner": {"name": "asha", "options": {}}},
    },
    "executor": {"name": "local", "options": {}},
    "record": "trials",
}
PROVENANCE = {
    "study": {"commit": "0123456789abcdef", "dirty": False},
    "packages": {"torch": "2.13.0", "mlflow": "3.17.2"},
    "host": "here",
    "data": {"name": "digits", "digest": "d" * 64},
}
CLEAN: dict[str, list[str]] = {"missing": [], "duplicate": [], "stuck": [], "different": []}


class Clock:
    """The clock by which the ledger finds trials older than a second; `ahead` makes them all older."""

    ahead = 0.0

    def time(self) -> float:
        return time.time() + self.ahead


class Filled:
    """Fills a ledger by hand, as a campaign does."""

    def __init__(self, store: Store, ledger: Ledger, spec: dict[str, Any] = SPEC) -> None:
        self.store, self.ledger = store, ledger
        self.campaign: CampaignRow = ledger.create_campaign(spec["name"], spec, "digest", PROVENANCE)
        self.token = ledger.acquire(self.campaign.id, owner_identity())
        self.searches = [ledger.add_search(self.campaign.id, arm, 0) for arm in spec["arms"]]
        self.told = 0

    @property
    def id(self) -> str:
        return self.campaign.id

    def start(
        self, number: int, config: Config | None = None, *, arm: int = 0, kind: str = "trial"
    ) -> TrialRow:
        return self.ledger.start_trial(
            self.searches[arm].id,
            NewTrial(
                kind,
                number,
                config or {"lr": 0.1 / (number + 1), "width": 8 * (number + 1), "act": "relu"},
                seed=number,
                asked_after=self.told,
                workdir=str(self.store.folder / "work" / str(number)),
            ),
        )

    def report(self, trial: TrialRow, *values: float, first: int = 1) -> None:
        for step, value in enumerate(values, first):
            report = Report(step, value, 0.5 * step, {"loss": 1.0 - value})
            assert self.ledger.report(trial.id, trial.token, report)

    def end(
        self, trial: TrialRow, value: float | None, state: TrialState = TrialState.COMPLETE, **more: Any
    ) -> None:
        outcome = Outcome(
            state,
            more.pop("cost", 1.5),
            values=None if value is None else [value],
            host="here",
            device="cpu",
            **more,
        )
        assert self.ledger.finish_trial(trial.id, trial.token, outcome, told=self.told, attributes={})
        self.told += 1

    def trial(
        self, number: int, value: float = 0.5, *, arm: int = 0, steps: int = 3, **more: Any
    ) -> TrialRow:
        """One complete trial with reports."""
        trial = self.start(number, arm=arm)
        self.report(trial, *(value * step / steps for step in range(1, steps + 1)))
        self.end(trial, value, **more)
        return trial

    def finish(self) -> None:
        for search in self.searches:
            own = [
                trial
                for trial in self.ledger.trials(search=search.id)
                if trial.values and trial.kind == "trial"
            ]
            winner = max(own, key=lambda trial: (trial.values or [0.0])[0], default=None)
            self.ledger.finish_search(search.id, "budget", None if winner is None else winner.id)
        assert self.ledger.finish_campaign(self.id, self.token)


def write_file(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def recording(filled: Filled, **more: Any) -> Iterator[Recorder]:
    recorder = Recorder(filled.store, filled.ledger, filled.id, **more)
    recorder.start()
    try:
        yield recorder
    finally:
        recorder.close()


def runs(filled: Filled) -> dict[str, Run]:
    """All runs of the study by identity."""
    client = make_client(filled.store)
    experiment = client.get_experiment_by_name("demo")
    if experiment is None:
        return {}
    stored = client.search_runs([experiment.experiment_id])
    assert len({run.data.tags["automl.id"] for run in stored}) == len(stored)
    return {run.data.tags["automl.id"]: run for run in stored}


def eventually(seen: Callable[[], Any], timeout: float = PATIENCE) -> Any:
    """The first true value of `seen`."""
    end = time.monotonic() + timeout
    while not (value := seen()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return value
