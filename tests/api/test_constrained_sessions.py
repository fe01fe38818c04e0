"""Constraints in a loop of the program's own."""

from __future__ import annotations

from test_sessions import opened, square

from automl.ledger import Ledger, Store


def test_constraints_end_trials_of_a_loop(store: Store) -> None:
    bounds = {"size": {"at_most": 40}, "slow": {"at_most": 3}}
    ended = []
    with opened(store, constraints=bounds, trials=12) as session:
        for trial in session:
            units = int(str(trial.config["units"]))
            if not trial.measured(size=10 * units):
                assert trial.must_stop and units > 4
                ended.append((units, trial.tell(pruned=True)))
                continue
            ended.append((units, trial.tell({"loss": square(trial), "slow": units})))
    assert {state for units, state in ended if units > 3} == {"pruned"}
    assert {state for units, state in ended if units <= 3} == {"complete"}
    size, slow = session.campaign.report.constraints
    assert size.broke == {"tpe": sum(units > 4 for units, _ in ended)}
    assert slow.broke == {"tpe": sum(units == 4 for units, _ in ended)}, "of the others it was not measured"
    with Ledger(store) as ledger:
        reasons = {trial.reason for trial in ledger.trials(campaign="mine-1") if trial.state == "pruned"}
    assert all((reason or "").startswith("constraint: ") for reason in reasons)
