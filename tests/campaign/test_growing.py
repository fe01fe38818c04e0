"""Campaigns that grow: what they were at once, and what stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from growing_study import CODE, STUDY, content, differences, run
from in_process import automl
from told import Told

from automl import plugins
from automl.campaign import Addition, Wanted, run_campaign
from automl.config import Study
from automl.contracts import UserError
from automl.ledger import Ledger, Store
from automl.progress import QuietProgress
from automl.report import collect

PRUNERS = {"median": "{strategy: random, pruner: median}", "asha": "{strategy: tpe, pruner: asha}"}
COSTLY = {"gp"}  # a tenth of a second and more a proposal


@pytest.mark.slow
@pytest.mark.parametrize("strategy", [*plugins.names("strategies"), *PRUNERS])
def test_ten_trials_that_grow_are_thirty_at_once(
    study: Path, store: Store, ledger: Ledger, strategy: str
) -> None:
    if strategy == "proxy_screen":
        pytest.skip("it needs the space of a network: see the test of a screening that grows and is killed")
    least, most = (3, 9) if strategy in COSTLY else (10, 30)
    arm = PRUNERS.get(strategy, f"{{strategy: {strategy}}}")
    arms = ["seeds=1", f"arms={{random: {{strategy: random}}, other: {arm}}}"]
    metrics = ["task={metrics: {loss: minimize}}"] if strategy == "nsga2" else []
    assert run(study, store, *arms, *metrics, f"budget.trials={least}") == "growing-1"
    assert run(study, store, *arms, *metrics, f"budget.trials={most}") == "growing-1"
    assert run(study, store, *arms, *metrics, f"budget.trials={most}", "name=whole") == "whole-1"
    grown, whole = content(ledger, "growing-1"), content(ledger, "whole-1")
    assert [row[:3] for row in grown] == [row[:3] for row in whole]
    assert grown == whole
    assert ledger.searches("growing-1")[0].state == "finished"
    assert differences(store, ledger, "growing-1") == []


@pytest.mark.slow
def test_more_seeds_are_further_searches_only(study: Path, store: Store, ledger: Ledger) -> None:
    run(study, store)
    before = content(ledger, "growing-1")
    told = Told()
    assert run(study, store, "seeds=5", told=told) == "growing-1"
    assert any("seeds: 3 more (2, 3, 4)" in line for line in told.lines)
    after = content(ledger, "growing-1")
    assert [row for row in after if row in before] == before
    assert {row[0] for row in after} - {row[0] for row in before} == {
        f"{arm}/{seed}" for arm in ("random", "tpe") for seed in (2, 3, 4)
    }
    assert differences(store, ledger, "growing-1") == []


def test_all_that_is_asked_for_is_there(study: Path, store: Store, ledger: Ledger) -> None:
    run(study, store)
    told, before = Told(), ledger.campaign("growing-1")
    assert run(study, store, told=told) == "growing-1"
    assert any("growing-1 is complete" in line and "nothing was started" in line for line in told.lines)
    assert ledger.campaign("growing-1") == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("budget.trials=2", "budget.trials: 3 stay, not 2"),
        ("seeds=[1]", "seeds: 1 stay that are not asked for (0)"),
        ("arms={random: {strategy: random}}", "arms: tpe stay as they are, and do not grow"),
    ],
)
def test_less_is_told_and_changes_nothing(
    study: Path, store: Store, ledger: Ledger, override: str, line: str
) -> None:
    run(study, store)
    told, before = Told(), content(ledger, "growing-1")
    assert run(study, store, override, told=told) == "growing-1"
    assert any(line in one for one in told.lines), told.lines
    assert content(ledger, "growing-1") == before


@pytest.mark.slow
def test_an_arm_may_come_go_and_come_back(study: Path, store: Store, ledger: Ledger) -> None:
    run(study, store, "seeds=1")
    arms = "arms={random: {strategy: random}, gp: {strategy: quasi_random}}"
    assert run(study, store, "seeds=1", arms, "budget.trials=5") == "growing-1"
    counts = {search.arm: len(ledger.trials(search=search.id)) for search in ledger.searches("growing-1")}
    assert counts == {"random": 5, "tpe": 3, "gp": 5}, "an arm that the file has dropped does not grow"
    assert run(study, store, "seeds=1", "budget.trials=5") == "growing-1"
    assert len(ledger.trials(search="growing-1/tpe/0")) == 5
    assert differences(store, ledger, "growing-1") == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("override", "item"),
    [
        ("task.direction=maximize", "task.metrics"),
        ("arms.tpe={strategy: quasi_random}", "arms.tpe.strategy"),
        ("space.fix={n: 2}", "space"),
        ("task.metric=error", "task.metrics"),
    ],
)
def test_another_study_is_the_next_campaign_and_what_changed_is_told(
    study: Path, store: Store, override: str, item: str
) -> None:
    if override.startswith("space"):
        study.write_text(STUDY.replace('space: "growing_code:SPACE"', 'space: {name: "growing_code:SPACE"}'))
    run(study, store)
    told = Told()
    assert run(study, store, override, told=told) == "growing-2"
    assert any("growing-1 belongs to another study" in line and item in line for line in told.lines), (
        told.lines
    )


@pytest.mark.slow
def test_other_code_is_the_next_campaign_unless_accepted(study: Path, store: Store, ledger: Ledger) -> None:
    run(study, store)
    code = study.parent / "growing_code.py"
    code.write_text(CODE + "# more\n")
    told = Told()
    assert run(study, store, "budget.trials=4", told=told) == "growing-2"
    assert any(
        "growing-1 is finished; since it began, this has changed: code.gr" in line for line in told.lines
    )
    code.write_text(CODE + "# other\n")
    assert run(study, store, "budget.trials=6", changed="accept") == "growing-2"
    assert "code.growing_code.py" in collect(ledger, "growing-2").warnings[0]
    assert len(ledger.trials(search="growing-2/tpe/0")) == 6


@pytest.mark.slow
def test_a_budget_of_another_kind_goes_on_from_what_is_there(
    study: Path, store: Store, ledger: Ledger
) -> None:
    call = "evaluator={function: {call: 'growing_code:slow'}}"
    run(study, store, "seeds=1", call, "budget={trials: 2}")
    told = Told()
    run(study, store, "seeds=1", call, "budget={device_seconds: 0.5}", told=told)
    assert any("budget.device_seconds: from nothing to 0.5" in line for line in told.lines)
    trials = ledger.trials(search="growing-1/tpe/0")
    assert len(trials) > 4
    assert 0.4 < sum(trial.device_seconds for trial in trials) < 0.7


@pytest.mark.slow
def test_a_search_that_a_limit_ended_goes_on(study: Path, store: Store, ledger: Ledger) -> None:
    run(study, store, "limits.trials=7")
    assert len(ledger.trials(campaign="growing-1")) == 7
    assert {search.reason for search in ledger.searches("growing-1")} != {"budget: 3 trials"}
    run(study, store, "limits.trials=100")
    assert content(ledger, "growing-1") == content(ledger, run(study, store, "name=whole"))
    assert ledger.campaign("growing-1").reason is None  # type: ignore[union-attr]
    before = ledger.campaign("growing-1")
    run(study, store, "limits.trials=2")
    assert ledger.campaign("growing-1") == before, "a lower limit ends nothing that has ended"


@pytest.mark.slow
def test_a_new_campaign_has_seeds_that_none_had(study: Path, store: Store, ledger: Ledger) -> None:
    run(study, store)
    assert run(study, store, fresh=True) == "growing-2"
    assert run(study, store, fresh=True) == "growing-3"
    assert run(study, store, fresh=True, same_seeds=True) == "growing-4"
    seeds = [sorted({search.seed for search in ledger.searches(f"growing-{n}")}) for n in (1, 2, 3, 4)]
    assert seeds == [[0, 1], [2, 3], [4, 5], [0, 1]]


@pytest.mark.slow
def test_seeds_that_a_campaign_has_added_by_itself_count_as_well(
    study: Path, store: Store, ledger: Ledger
) -> None:
    run(study, store)
    ledger.add_searches("growing-1", [("random", 2), ("random", 7)])
    run(study, store, fresh=True)
    assert {search.seed for search in ledger.searches("growing-2")} == {8, 9}


@pytest.mark.slow
def test_what_has_other_seeds_than_its_file_grows_as_well(study: Path, store: Store, ledger: Ledger) -> None:
    run(study, store)
    run(study, store, fresh=True)
    assert run(study, store) == "growing-2"
    assert len(ledger.trials(campaign="growing-2")) == 12
    assert run(study, store, "seeds=3", "budget.trials=4") == "growing-2"
    assert sorted({search.seed for search in ledger.searches("growing-2")}) == [2, 3, 4]
    assert len(ledger.trials(campaign="growing-2")) == 24


@pytest.mark.slow
def test_more_of_what_is_there(study: Path, store: Store, ledger: Ledger) -> None:
    with pytest.raises(UserError, match="only a campaign can be given more, but growing has none"):
        run(study, store, more=Addition(seeds=1))
    run(study, store)
    run(study, store, more=Addition(seeds=2, trials=4))
    assert {search.seed for search in ledger.searches("growing-1")} == {0, 1, 2, 3}
    assert len(ledger.trials(campaign="growing-1")) == 2 * 4 * 7
    row = ledger.campaign("growing-1")
    assert row is not None
    recorded = Study.from_json(row.spec)
    run_campaign(recorded, store=store, wanted=Wanted(more=Addition(seeds=1)), progress=QuietProgress())
    assert {search.seed for search in ledger.searches("growing-1")} == {0, 1, 2, 3, 4}
    with pytest.raises(UserError, match=r"--add-device-seconds needs .* has trials"):
        run(study, store, more=Addition(device_seconds=3.0))


@pytest.mark.slow
def test_more_device_seconds_from_the_command_line(
    study: Path, store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search that its budget had ended goes on."""
    study.write_text(
        study.read_text().replace("{trials: 3}", "{device_seconds: 0.2}").replace(":objective", ":slow")
    )
    monkeypatch.setenv("AUTOML_STORE", str(store.folder))
    words = ("run", str(study), "--progress", "quiet", "--set", "seeds=1")
    assert automl(monkeypatch, *words) == 0
    before = sum(trial.device_seconds for trial in ledger.trials(campaign="growing-1"))
    assert automl(monkeypatch, *words, "--add-device-seconds", "0.3") == 0
    after = sum(trial.device_seconds for trial in ledger.trials(campaign="growing-1"))
    assert after - before > 2 * 0.15, "both searches"
    assert [row.spec["budget"]["device_seconds"] for row in ledger.campaigns()] == [0.5]


@pytest.mark.slow
def test_a_growth_that_is_interrupted_goes_on(
    study: Path, store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(study, store)
    reopened: list[str] = []
    reopen = Ledger.reopen_search

    def dies(self: Ledger, search: str) -> Any:
        reopened.append(search)
        if len(reopened) == 2:
            raise KeyboardInterrupt
        return reopen(self, search)

    monkeypatch.setattr(Ledger, "reopen_search", dies)
    with pytest.raises(KeyboardInterrupt):
        run(study, store, "budget.trials=6")
    monkeypatch.undo()
    monkeypatch.chdir(study.parent)
    assert ledger.status(ledger.campaign("growing-1")) == "interrupted"  # type: ignore[arg-type]
    assert run(study, store, "budget.trials=6") == "growing-1"
    assert content(ledger, "growing-1") == content(ledger, run(study, store, "budget.trials=6", "name=whole"))
    assert differences(store, ledger, "growing-1") == []
