"""Which campaigns are remembered, what of them, and that it is fixed when a campaign begins."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from automl import plugins
from automl.campaign import Wanted, run_campaign
from automl.config import load_study
from automl.contracts import ArmMemory, CampaignMemory, RunError, UserError
from automl.ledger import Ledger, Store
from automl.progress import QuietProgress
from automl.report import collect
from automl.report.remembered import lines

CODE = """
from pathlib import Path
from automl.contracts import UserError
from automl.space import Choice, Float, Int, Space
PLUGIN = Space({"x": Float(-5, 5), "k": Int(1, 9), "m": Choice(("a", "b"))})
OTHER = Space({"y": Float(0, 1), "x": Float(-5, 5)})
def loss(config, context):
    stop = Path(__file__).with_name("stop")
    if stop.exists() and len(list(Path(__file__).parent.glob("call-*"))) >= int(stop.read_text()):
        raise KeyboardInterrupt
    if stop.exists():
        (Path(__file__).parent / f"call-{len(list(Path(__file__).parent.glob('call-*')))}").touch()
    base = {"loss": (config["x"] - 1.5) ** 2}
    return base | {"size": abs(config.get("k", 0))}
"""
STUDY = """
name: {name}
task: {{metrics: {metrics}}}
space: {space}
evaluator: {{function: {{call: "objective:loss"}}}}
budget: {{trials: {trials}}}
seeds: 1
record: searches
{memory}
arms: {arms}
"""
Run = Callable[..., str]


@pytest.fixture
def run(store: Store, tmp_path: Path) -> Run:
    (tmp_path / "objective.py").write_text(CODE)

    def go(
        name: str = "first",
        memory: str = "",
        *,
        arms: str = "{tpe: {strategy: tpe}}",
        space: str = '"objective:PLUGIN"',
        metrics: str = "{loss: minimize}",
        trials: int = 6,
        fresh: bool = True,
    ) -> str:
        text = STUDY.format(
            name=name,
            memory=f"memory: {memory}" if memory else "",
            arms=arms,
            space=space,
            metrics=metrics,
            trials=trials,
        )
        file = tmp_path / f"{name}.yaml"
        file.write_text(text)
        wanted = Wanted(fresh=fresh)
        return run_campaign(load_study(file), store=store, wanted=wanted, progress=QuietProgress())

    return go


def plan(store: Store, campaign: str, arm: str = "tpe") -> ArmMemory:
    with Ledger(store) as ledger:
        memory = ledger.memory(campaign)
    assert memory is not None
    found = memory.plan(arm)
    assert found is not None
    return found


def asked(store: Store, search: str) -> list[Any]:
    with Ledger(store) as ledger:
        return [row.config for row in ledger.trials(search=search)]


@pytest.mark.slow
def test_without_the_key_nothing_is_remembered(run: Run, store: Store) -> None:
    run()
    campaign = run()
    with Ledger(store) as ledger:
        assert ledger.memory(campaign) is None
        assert collect(ledger, campaign).to_json().get("remembered") is None


@pytest.mark.slow
def test_the_best_of_the_last_campaign_come_first_and_baselines_get_none(run: Run, store: Store) -> None:
    first = run()
    arms = "{tpe: {strategy: tpe, twin: true}, qmc: {strategy: quasi_random}, ls: {strategy: local_search}}"
    campaign = run("first", "{from: last, top: 3}", arms=arms)
    found = plan(store, campaign)
    with Ledger(store) as ledger:
        trials = [row for row in ledger.trials(first) if row.values]
        memory = ledger.memory(campaign)
        told = lines(collect(ledger, campaign).remembered)
        seed = ledger.campaigns("first")[-1].spec["seeds"][0]
    best = sorted(trials, key=lambda row: row.values[0] if row.values else 0.0)
    assert found.first == list({json.dumps(row.config): row.config for row in best}.values())[:3]
    assert memory is not None
    assert (sorted(memory.arms), memory.history) == (["ls", "tpe"], ["tpe"])
    for arm in ("tpe", "ls"):
        assert asked(store, f"{campaign}/{arm}/{seed}")[:3] == found.first
        assert len(asked(store, f"{campaign}/{arm}/{seed}")) == 6
    for arm in ("random", "qmc", "tpe-without-memory"):
        assert not any(config in found.first[:2] for config in asked(store, f"{campaign}/{arm}/{seed}"))
    assert any("what memory gave" in line for line in told)


@pytest.mark.slow
def test_a_first_campaign_says_that_there_is_nothing_yet(run: Run, store: Store) -> None:
    campaign = run("first", "last")
    assert plan(store, campaign) == ArmMemory()
    with Ledger(store) as ledger:
        assert "remembers nothing" in lines(collect(ledger, campaign).remembered)[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("memory", "sources"),
    [
        ("last", ["own-1"]),
        ("[first]", ["first-2"]),
        ("first-1", ["first-1"]),
        ("[first-1, first]", ["first-1", "first-2"]),
        ("[first-2, first]", ["first-2"]),
        ("[own, first-1]", ["own-1", "first-1"]),
        ("all", ["own-1", "first-2", "first-1"]),
    ],
)
def test_sources_by_name(run: Run, store: Store, memory: str, sources: list[str]) -> None:
    run()
    run()
    run("own")
    campaign = run("own", memory)
    assert [source.campaign for source in plan(store, campaign).sources] == sources


@pytest.mark.slow
@pytest.mark.parametrize(
    ("memory", "message"),
    [
        ("[frist]", "campaign or study must be one of those there are, but got 'frist'.*did you mean 'first"),
        ("first-9", "must be one of those there are, but got 'first-9'"),
        ("[first-1, nothing]", "got 'nothing'"),
        ("upward", "it searched by loss \\(maximize\\), not by loss \\(minimize\\)"),
        ("two", "it searched by loss \\(minimize\\), size \\(minimize\\), not by loss"),
        ("renamed", "it searched by size \\(minimize\\), not by loss"),
        ("elsewhere", "configurations that fit the space of the arm tpe, but has none.*'y' is no parameter"),
        ("own", "campaign or study must be one of those there are, but got 'own'"),
    ],
)
def test_names_that_cannot_be_remembered_end_before_anything_begins(
    run: Run, store: Store, memory: str, message: str
) -> None:
    run()
    run("upward", metrics="{loss: maximize}")
    run("two", metrics="{loss: minimize, size: minimize}", arms="{tpe: {strategy: tpe}}")
    run("renamed", metrics="{size: minimize}")
    run("elsewhere", space='"objective:OTHER"')
    with pytest.raises(UserError, match=message):
        run("own", memory)
    with Ledger(store) as ledger:
        assert ledger.campaigns("own") == []


@pytest.mark.slow
def test_all_passes_over_what_is_not_alike_and_says_why(run: Run, store: Store) -> None:
    run()
    run("upward", metrics="{loss: maximize}")
    run("elsewhere", space='"objective:OTHER"')
    found = plan(store, run("own", "all"))
    assert [source.campaign for source in found.sources] == ["elsewhere-1", "first-1"]
    assert found.passed_over == [
        "upward-1: it searched by loss (maximize), not by loss (minimize)",
    ]
    assert sum(found.dropped.values()) == 12
    assert found.sources[0].trials == 0


@pytest.mark.slow
def test_a_narrower_space_converts_numbers_and_drops_options(run: Run, store: Store) -> None:
    first = run(trials=20)
    narrow = '{name: "objective:PLUGIN", narrow: {x: [-1, 1]}, fix: {m: a}}'
    found = plan(store, run("own", "first", space=narrow))
    with Ledger(store) as ledger:
        configs = [row.config for row in ledger.trials(first)]
    outside = [config for config in configs if config["m"] == "a" and abs(float(str(config["x"]))) > 1]
    assert sum(found.dropped.values()) == sum(config["m"] == "b" for config in configs)
    assert sum(found.converted.values()) == len(outside)
    assert all(abs(float(str(trial.config["x"]))) < 1 for trial in found.trials)


@pytest.mark.slow
def test_a_campaign_that_runs_cannot_be_remembered_by_name_and_is_no_last_one(
    run: Run, store: Store, tmp_path: Path
) -> None:
    run()
    (tmp_path / "stop").write_text("3")
    with pytest.raises(KeyboardInterrupt):
        run()
    (tmp_path / "stop").unlink()
    with pytest.raises(UserError, match="first-2 must be finished to be remembered, but is interrupted"):
        run("own", "first-2")
    assert [source.campaign for source in plan(store, run("own", "first")).sources] == ["first-1"]


@pytest.mark.slow
def test_an_interrupted_campaign_goes_on_with_the_memory_it_began_with(
    run: Run, store: Store, tmp_path: Path
) -> None:
    run()
    keys: dict[str, Any] = {"memory": "first", "arms": "{tpe: {strategy: tpe}, gp: {strategy: nsga2}}"}
    whole = run("own", **keys)
    (tmp_path / "stop").write_text("9")
    with pytest.raises(KeyboardInterrupt):
        run("again", **keys)
    (tmp_path / "stop").unlink()
    run(trials=12)  # a newer campaign of the study that is remembered
    delete(store, "first-1")
    again = run("again", fresh=False, **keys)
    assert again == "again-1"
    assert plan(store, again).first == plan(store, whole).first
    for arm in ("random", "tpe", "gp"):
        assert asked(store, f"{again}/{arm}/0") == asked(store, f"{whole}/{arm}/0")


def delete(store: Store, campaign: str) -> None:
    with closing(sqlite3.connect(store.folder / "ledger.db")) as database, database:
        like = f"{campaign}/%"
        for table in ("attempts", "reports"):
            database.execute(f"DELETE FROM {table} WHERE trial LIKE ?", (like,))
        database.execute("DELETE FROM trials WHERE search LIKE ?", (like,))
        for table in ("searches", "drives", "shares"):
            database.execute(f"DELETE FROM {table} WHERE campaign = ?", (campaign,))
        database.execute("DELETE FROM campaigns WHERE id = ?", (campaign,))


@pytest.mark.slow
def test_two_studies_may_remember_each_other(run: Run, store: Store) -> None:
    run("a")
    run("b", "a")
    third = run("a", "b")
    fourth = run("b", "[a, b]")
    assert [source.campaign for source in plan(store, third).sources] == ["b-1"]
    assert [source.campaign for source in plan(store, fourth).sources] == ["a-2", "b-1"]
    assert plan(store, fourth).sources[0].trials <= 12


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"plans": [], "arms": {"tpe": 0}, "history": []}',
        '{"plans": [], "arms": {}, "history": [], "more": 1}',
        '{"plans": [{"sources": [], "first": [3]}], "arms": {}, "history": []}',
        json.dumps(
            CampaignMemory([ArmMemory(first=[{"x": 1.0}])]).to_json()
            | {"plans": [vars(ArmMemory()) | {"trials": [{"config": {}, "values": [1.0], "source": 0}]}]}
        ),
    ],
)
def test_a_damaged_memory_is_told_as_such(run: Run, store: Store, content: str) -> None:
    campaign = run("first", "last")
    with closing(sqlite3.connect(store.folder / "ledger.db")) as database, database:
        database.execute("UPDATE memories SET content = ?", (content,))
    with Ledger(store) as ledger, pytest.raises(RunError, match="the ledger is damaged: content of memory"):
        collect(ledger, campaign)


@pytest.mark.slow
def test_every_strategy_that_remembers_runs_with_a_memory(run: Run, store: Store) -> None:
    names = [name for name in plugins.names("strategies") if name not in ("proxy_screen", "gp")]
    remembering = [name for name in names if plugins.load("strategies", name).remembers != "nothing"]
    run()
    arms = ", ".join(f"{name.replace('_', '-')}: {{strategy: {name}}}" for name in remembering)
    campaign = run("own", "first", arms=f"{{{arms}}}", trials=8)
    with Ledger(store) as ledger:
        counts = {row.arm: len(ledger.trials(search=row.id)) for row in ledger.searches(campaign)}
    assert set(counts.values()) == {8}
    assert len(counts) == len(remembering) + 1
