"""A user's own strategy whose first proposals name an evaluator of its own: nothing else knows of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import toy_benchmark

from automl.campaign.clock import CampaignClock
from automl.campaign.live import LiveSearch
from automl.campaign.planning import plan_searches
from automl.campaign.run import run_campaign
from automl.campaign.simulated import ReplaySearch
from automl.config import load_study, resolve
from automl.contracts import TrialState
from automl.ledger import Ledger, Store
from automl.progress import QuietProgress

CODE = """
import random
from automl.contracts import Evaluator, PluginSpec, Result, Strategy
from automl.space import Float, Space
from automl.strategies.history import Proposal, WholeSampler

SPACE = Space({"x": Float(0.0, 1.0)})

class Look(Evaluator):
    def evaluate(self, config, context):
        assert type(context.protocol).__name__ in ("Function", "Lookup")
        return Result({}, metrics={"look": 1.0}, stopped="only looked at")

class ScoutSampler(WholeSampler):
    def __init__(self, space, seed):
        self.space, self.seed = space, seed

    def propose(self, number, history):
        config = self.space.sample(random.Random(self.seed))
        return Proposal(config, {}, PluginSpec("scout_code:Look") if number < 2 else None)

class Scout(Strategy):
    evaluators = (PluginSpec("scout_code:Look"),)

    def sampler(self, space, metrics, seed, search_seed):
        return ScoutSampler(space, seed)

def objective(config, context):
    return config["x"]
"""
STUDY = """
name: scouted
task: {metric: loss, direction: minimize}
space: "scout_code:SPACE"
evaluator: {function: {call: "scout_code:objective"}}
budget: {trials: 4}
seeds: 1
arms: {scout: {strategy: "scout_code:Scout"}}
executor: local
final: {seeds: 0}
"""


@pytest.fixture
def folder(workspace: Path) -> Path:
    (workspace / "scout_code.py").write_text(CODE)
    return workspace


def test_trials_of_the_named_evaluator_end_without_a_value(
    folder: Path, store: Store, ledger: Ledger
) -> None:
    (folder / "scouted.yaml").write_text(STUDY)
    campaign = run_campaign(load_study(folder / "scouted.yaml"), store=store, progress=QuietProgress())
    trials = sorted(ledger.trials(search=f"{campaign}/scout/0"), key=lambda trial: trial.number)
    pruned, complete = TrialState.PRUNED, TrialState.COMPLETE
    assert [trial.state for trial in trials] == [pruned, pruned, complete, complete]
    assert [(trial.reason, trial.metrics) for trial in trials[:2]] == [("only looked at", {"look": 1.0})] * 2
    best = min(trials[2:], key=lambda trial: trial.values or [])
    assert ledger.searches(campaign)[-1].winner == best.id


def test_such_a_search_is_not_replayed_in_memory(folder: Path, ledger: Ledger) -> None:
    toy_benchmark.write(folder / "toy.npz")
    study = folder / "toytable.yaml"
    study.write_text(toy_benchmark.STUDY.replace("{strategy: tpe}", '{strategy: "scout_code:Scout"}'))
    resolved = resolve(load_study(study))
    row = ledger.create_campaign("toytable", resolved.study.to_json(), resolved.study.digest(), {})
    planned = plan_searches(resolved, row, ledger, folder, CampaignClock())
    kinds = {search.row.arm: type(search) for search in planned}
    assert kinds == {"random": ReplaySearch, "tpe": LiveSearch}
