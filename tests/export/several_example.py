"""A finished campaign with values and sizes that are known, written straight into the ledger."""

from __future__ import annotations

from automl.config import Arm, Budget, Final, SpaceSpec, Study
from automl.contracts import Direction, Metric, Outcome, PluginSpec, TaskSpec, TrialState
from automl.ledger import Ledger, owner_identity
from automl.ledger.rows import NewTrial

POINTS = [(0.4, 200.0), (0.8, 300.0), (0.9, 900.0), (0.8, 300.0), (0.7, 400.0), (0.5, 100.0)]  # gain, size
FRONT = [0.9, 0.8, 0.5]


def several_campaign(ledger: Ledger, *, metrics: int = 2, sizes: bool = True) -> str:
    """The campaign `several-1`: trials of two arms. `sizes`: recorded beside a metric that is alone."""
    wanted = [Metric("gain", Direction.MAXIMIZE), Metric("parameters", Direction.MINIMIZE)][:metrics]
    study = Study(
        name="several",
        task=TaskSpec(metrics=wanted),
        space=SpaceSpec(name="tabular"),
        evaluator=PluginSpec("function", {"call": "automl.evaluators.function:example_objective"}),
        budget=Budget(trials=3),
        seeds=[0],
        arms={name: Arm(strategy=PluginSpec(name, {})) for name in ("random", "tpe")},
        final=Final(seeds=0),
    )
    row = ledger.create_campaign(study.name, study.to_json(), study.digest(), {"identity": {}})
    token = ledger.acquire(row.id, owner_identity())
    for arm, points in (("random", POINTS[:2]), ("tpe", POINTS[2:])):
        search = ledger.add_search(row.id, arm, 0)
        trials = []
        for number, (gain, size) in enumerate(points):
            new = NewTrial("trial", number, {"x": gain}, number, number, None)
            trial = ledger.start_trial(search.id, new)
            outcome = Outcome(
                TrialState.COMPLETE,
                1.0,
                values=[gain, size][:metrics],
                metrics={"parameters": size} if sizes and metrics == 1 else {},
            )
            ledger.finish_trial(trial.id, trial.token, outcome, told=number, attributes={})
            trials.append((gain, trial.id))
        ledger.finish_search(search.id, "budget: trials", max(trials)[1])
    ledger.finish_campaign(row.id, token)
    ledger.release(row.id, token)
    return row.id
