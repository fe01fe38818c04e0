"""Health of a supernet search: what is told, alarms and what is done then, choice, rank check."""

from __future__ import annotations

import json
import math
import random
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_context import FakeContext, image_task

from automl import plugins
from automl.contracts import Config, derive_seed
from automl.evaluators.network import Network
from automl.evaluators.supernet import Supernet
from automl.oneshot import monitor, rank, search
from automl.oneshot.monitor import Monitor, cadence, count_skips
from automl.oneshot.options import MonitorOptions, SupernetOptions
from automl.oneshot.result import EpochRecord, RankedNetwork
from automl.oneshot.scoring import Scorer, Selecting, interleaved
from automl.searchspaces.nasbench201 import PLUGIN as NASBENCH201
from automl.supernets.alarms import kendall_tau
from automl.supernets.base import Mixture
from automl.training import images
from automl.training.procedure import train_network
from automl.training.recipe import NetworkOptions

torch.set_num_threads(1)
PROTOCOL = NetworkOptions(epochs=1, batch_size=32, channels=2)
EARLY = {"start": 1}
CONVOLUTIONS: Config = dict.fromkeys(NASBENCH201.parameters, "nor_conv_3x3")


def context(path: Path, rows: int = 24, **fields: Any) -> FakeContext:
    given = {"given_task": image_task(rows=rows), "space": NASBENCH201, "protocol": Network(PROTOCOL)}
    return FakeContext(path, **{**given, **fields})


def evaluate(ctx: FakeContext, **options: Any) -> Any:
    given = {"epochs": 3, "batch_size": 8, "eigenvalue_every": 0}
    return Supernet(SupernetOptions(**{**given, **options})).evaluate({}, ctx)


def artifact(ctx: FakeContext, name: str) -> Any:
    return json.loads((ctx.workdir / "artifacts" / name).read_text())


@pytest.fixture
def skips(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Skip counts of the genotypes that are looked at, in place of the real ones (0 after the last)."""
    counts: list[int] = []
    monkeypatch.setattr(monitor, "count_skips", lambda *_: (counts.pop(0) if counts else 0, 6))
    return counts


# --- what is told -------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_epoch_is_told_as_it_ends(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    result = evaluate(ctx, eigenvalue_every=1)
    assert [step for step, _ in ctx.logs] == [1, 2, 3]
    epochs = artifact(ctx, "health.json")["epochs"]
    for (step, told), entry in zip(ctx.logs, epochs[1:], strict=True):
        assert entry["epoch"] == step
        for name in monitor.NUMBERS:
            assert told[f"search_{name}"] == entry[name]
        gap = told["search_supernet_accuracy"] - told["search_path_accuracy"]
        assert told["search_discretisation_gap"] == pytest.approx(gap)
        row = [told[f"strength/edge_0_1/{name}"] for name in NASBENCH201.parameters["edge_0_1"].options]
        assert math.isclose(sum(row), 1, rel_tol=1e-6)
        assert len([name for name in told if name.startswith("strength/")]) == 30
    assert result.metrics["search_collapsed"] == 0
    assert 0 < result.metrics["search_health_seconds"] < result.metrics["search_seconds"]


@pytest.mark.slow
def test_watching_changes_nothing_in_the_search(tmp_path: Path) -> None:
    found = []
    for every in (0, 1, 2):
        ctx = context(tmp_path / str(every))
        evaluate(ctx, eigenvalue_every=every)
        epochs = artifact(ctx, "health.json")["epochs"]
        assert sum("eigenvalue" in entry for entry in epochs) == (3 // every if every else 0)
        found.append((artifact(ctx, "strengths.json"), [entry.get("train_loss") for entry in epochs]))
    assert found[0] == found[1] == found[2]


def test_readings_stay_a_small_part_of_the_search() -> None:
    given = MonitorOptions.model_validate({})
    assert cadence(25_000, given) == cadence(2_000, given) == 2
    for count in (100, 500):
        work = cadence(count, given) * monitor.STEP_WORK * count
        reading = monitor.READING_WORK * 32 + 2 * (monitor.GAP_IMAGES + monitor.STATISTICS)
        assert 0.05 < reading / work <= 0.1
    assert cadence(100, MonitorOptions.model_validate({"eigenvalue_every": 3})) == 3


def test_skips_are_counted_in_the_rows_of_the_alarm() -> None:
    supernet = NASBENCH201.supernet((1, 8, 8), 3, channels=2, cells=1)
    config = {**dict.fromkeys(NASBENCH201.parameters, "skip_connect"), "edge_0_1": "nor_conv_1x1"}
    assert count_skips(supernet, config) == (5, 6)
    supernet.skip_rows = [0, 1]
    assert count_skips(supernet, config) == (1, 2)
    supernet.operations = [name.replace("skip_connect", "identity") for name in supernet.operations]
    config = {name: str(value).replace("skip_connect", "identity") for name, value in config.items()}
    assert count_skips(supernet, config) == (0, 2)


# --- alarms -------------------------------------------------------------------------------------


def test_rollback_trains_the_last_healthy_genotype(
    tmp_path: Path, skips: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Epochs 0 to 3 have 0, 1, 2 and 5 skip connections of 6; 4 are too many."""
    observe, operations = Monitor.observe, NASBENCH201.parameters["edge_0_1"].options

    def observe_another(self: Monitor, epoch: int, means: Any) -> EpochRecord:
        record = observe(self, epoch, means)
        assert record.architecture is not None
        genotype = {**CONVOLUTIONS, "edge_0_1": operations[epoch]}
        record = replace(record, architecture=replace(record.architecture, genotype=genotype))
        self.records[-1] = record
        return record

    monkeypatch.setattr(Monitor, "observe", observe_another)
    skips += [0, 1, 2, 5]
    ctx = context(tmp_path)
    result = evaluate(ctx, epochs=4, alarms=EARLY, alpha_rate=3.0)
    health = artifact(ctx, "health.json")
    assert [entry["epoch"] for entry in health["epochs"]] == [0, 1, 2, 3]
    assert result.derived == {**CONVOLUTIONS, "edge_0_1": operations[2]}
    verdict = health["verdict"]
    assert (verdict["rule"], verdict["epoch"], verdict["rollback"]) == ("skips", 3, 2)
    assert verdict["action"] == "rollback" and verdict["alarms"] == {"skips": 3}
    names = ("epochs", "collapsed", "alarm_skips", "collapse_epoch", "rollback_epoch", "stopped")
    assert [result.metrics[f"search_{name}"] for name in names] == [3, 1, 3, 3, 2, 1]
    alone = train_network(result.derived, context(tmp_path / "alone"), PROTOCOL)
    assert result.values == alone.values


def test_stop_trains_what_the_search_had(tmp_path: Path, skips: list[int]) -> None:
    skips += [0, 1, 2, 5]
    ctx = context(tmp_path)
    result = evaluate(ctx, epochs=4, alarms=EARLY, alpha_rate=0.3, on_collapse="stop")
    health = artifact(ctx, "health.json")
    assert result.derived == health["epochs"][3]["genotype"]
    assert health["verdict"]["action"] == "stop" and "rollback" not in health["verdict"]
    assert result.metrics["search_stopped"] == 1 and "search_rollback_epoch" not in result.metrics


def test_warn_goes_on(tmp_path: Path, skips: list[int]) -> None:
    skips += [0, 1, 2, 5, 0]
    ctx = context(tmp_path)
    result = evaluate(ctx, epochs=5, alarms=EARLY, alpha_rate=0.3, on_collapse="warn")
    health = artifact(ctx, "health.json")
    assert result.metrics["search_epochs"] == 5
    assert result.derived == health["epochs"][5]["genotype"]
    assert health["verdict"] == {
        "collapsed": True,
        "alarms": {"skips": 3},
        "epoch": 3,
        "rule": "skips",
        "action": "warn",
    }
    assert (result.metrics["search_collapsed"], result.metrics["search_stopped"]) == (1, 0)


@pytest.mark.slow
def test_skips_before_the_start_count_only_at_the_end(
    tmp_path: Path, skips: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 4 of 6 in epoch 1 nothing rings before epoch 10; the last genotype counts unless it is noise."""
    skips += [0, 4, 1, 4]
    assert evaluate(context(tmp_path / "noise"), alpha_rate=1e-9).metrics["search_collapsed"] == 0
    monkeypatch.setattr(monitor, "RISEN", 0.0)
    skips[:] = [0, 4, 1, 1]
    assert evaluate(context(tmp_path / "a")).metrics["search_collapsed"] == 0
    skips[:] = [0, 4, 1, 4]
    result = evaluate(context(tmp_path / "b"))
    assert [result.metrics[f"search_{name}"] for name in ("epochs", "alarm_skips", "rollback_epoch")] == [
        3,
        3,
        2,
    ]


def test_without_a_healthy_epoch_the_fewest_skips_are_taken(tmp_path: Path, skips: list[int]) -> None:
    skips += [5, 4, 4, 6]
    ctx = context(tmp_path)
    result = evaluate(ctx, alarms={"start": 3})
    assert result.metrics["search_rollback_epoch"] == 2
    assert result.derived == artifact(ctx, "health.json")["epochs"][2]["genotype"]


@pytest.mark.slow
def test_the_eigenvalue_alarm_goes_back_to_its_own_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, values = monitor.largest_eigenvalue, [1.0, 1.0, 1.2, 1.5, 9.0]
    monkeypatch.setattr(
        monitor,
        "largest_eigenvalue",
        lambda *given: real(*given)._replace(value=values.pop(0)),
    )
    ctx = context(tmp_path)
    rule = {"window": 1, "delta": 2, "start": 2}
    result = evaluate(ctx, epochs=5, eigenvalue_every=1, alarms=rule, alpha_rate=3.0)
    health = artifact(ctx, "health.json")
    assert (health["verdict"]["rule"], health["verdict"]["epoch"]) == ("eigenvalue", 4)
    assert result.derived == health["epochs"][2]["genotype"]
    assert result.metrics["search_alarm_eigenvalue"] == 4


@pytest.mark.slow
def test_a_collapse_survives_a_kill(tmp_path: Path, skips: list[int]) -> None:
    """After the epoch of the alarm, the interrupted search goes back as the whole one did."""

    class Killed(BaseException):
        pass

    found = []
    for name, saves in (("whole", 99), ("killed", 3)):
        skips[:] = [0, 1, 2, 5]
        ctx = context(tmp_path / name)
        save, done = ctx.checkpoint.save, list[int]()

        def save_and_die(
            step: int, state: Any, save: Any = save, done: Any = done, saves: int = saves
        ) -> None:
            save(step, state)
            done.append(step)
            if len(done) == saves:
                raise Killed

        ctx.checkpoint.save = save_and_die
        options = {"epochs": 4, "alarms": EARLY, "alpha_rate": 3.0}
        try:
            result = evaluate(ctx, **options)
        except Killed:
            result = evaluate(context(tmp_path / name), **options)
        found.append((result.derived, result.metrics["search_rollback_epoch"], result.values))
    assert found[0] == found[1]


# --- choosing by the trained supernet -------------------------------------------------------------


def scorer(rows: int = 24, **options: Any) -> Scorer:
    torch.manual_seed(0)
    data = image_task(rows=rows)
    train, validation = search.halves(images.to_device(data.train, "cpu"))
    supernet = NASBENCH201.supernet((1, 8, 8), 3, channels=2, cells=1)
    method = plugins.load("supernets", "darts")
    darts = method(method.Options.model_validate({}), supernet, space=NASBENCH201, seed=0)
    return Scorer(darts, train, validation, **{"images": 100, "statistics": 100, **options})


def test_scoring_leaves_the_supernet_as_it_was() -> None:
    found = scorer()
    supernet = found.method.supernet
    before = {name: value.clone() for name, value in supernet.state_dict().items()}
    state = torch.get_rng_state()
    path = found.path(CONVOLUTIONS)
    assert path.strengths.sum(1).tolist() == [1.0] * 6
    scores = [found.accuracy(path), found.accuracy(Mixture(found.method.strengths(), None))]
    assert scores == [found.accuracy(path), found.accuracy(Mixture(found.method.strengths(), None))]
    assert all(0 <= score <= 1 for score in scores)
    assert supernet.training and torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in supernet.state_dict().items())


def test_interleaved_batches_span_all_classes() -> None:
    y = torch.arange(1200) // 400
    data = images.Images(torch.arange(1200.0).reshape(-1, 1, 1, 1), y)
    parts = list(interleaved(data, 600))
    assert [len(labels) for _, labels in parts] == [200, 200, 200]
    assert len({float(value) for x, _ in parts for value in x}) == 600
    assert all(labels.bincount().min() >= 66 for _, labels in parts)
    assert [len(labels) for _, labels in interleaved(data, 10**6)] == [240] * 5


def test_a_selection_knows_its_time_and_trains() -> None:
    steps: list[int] = []
    chooser = Selecting(
        scorer(), lambda: steps.append(1), space=NASBENCH201, rng=random.Random(0), seconds=math.inf
    )
    chooser.train(3)
    assert (len(steps), chooser.left()) == (3, math.inf)
    chooser.end = time.monotonic() - 1
    assert chooser.left() < 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "options"),
    [("spos", {"population": 4, "generations": 2}), ("darts_pt", {"tuning": 1, "epochs": 1})],
)
def test_a_choice_repeats_and_survives_a_kill(tmp_path: Path, method: str, options: dict[str, Any]) -> None:
    found = []
    for name in ("a", "b"):
        ctx = context(tmp_path / name)
        result = evaluate(ctx, method=method, **options)
        NASBENCH201.check(result.derived)
        found.append((result.derived, result.values))
    assert found[0] == found[1]
    again = context(tmp_path / "c")
    select = plugins.load("supernets", method).select

    def die(self: Any, selection: Any) -> Any:
        select(self, selection)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plugins.load("supernets", method), "select", die)
        with pytest.raises(KeyboardInterrupt):
            evaluate(again, method=method, **options)
    result = evaluate(context(tmp_path / "c"), method=method, **options)
    assert (result.derived, result.values) == found[0]


def test_methods_without_alpha_have_no_genotype_to_watch(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    result = evaluate(ctx, method="rs_ws", samples=3)
    for _, told in ctx.logs:
        assert set(told) == {"search_train_loss", "search_validation_loss", "search_validation_accuracy"}
    assert result.metrics["search_paths_scored"] == 3
    assert "search_entropy" not in result.metrics
    assert result.metrics["search_skips"] == list(result.derived.values()).count("skip_connect")


def test_a_method_that_chooses_by_the_supernet_goes_on(tmp_path: Path, skips: list[int]) -> None:
    skips += [0, 1, 5]
    ctx = context(tmp_path)
    result = evaluate(ctx, method="darts_pt", tuning=0, alarms=EARLY)
    assert (result.metrics["search_epochs"], result.metrics["search_collapsed"]) == (3, 1)
    assert artifact(ctx, "health.json")["verdict"]["action"] == "warn"
    assert result.metrics["search_operations_by_perturbation"] == 6


# --- the rank check -----------------------------------------------------------------------------


def test_the_rank_check_is_kendalls_tau_over_trained_networks(tmp_path: Path) -> None:
    ctx = context(tmp_path / "search")
    result = evaluate(ctx, epochs=1, rank_check=3)
    entries = artifact(ctx, "health.json")["rank"]
    assert len({NASBENCH201.digest(entry["config"]) for entry in entries}) == 3
    alone = [
        train_network(
            entry["config"],
            context(tmp_path / str(number), seed=derive_seed(ctx.seed, f"rank-{number}")),
            PROTOCOL,
        )
        for number, entry in enumerate(entries)
    ]
    tau = kendall_tau([e["supernet"] for e in entries], [r.values["accuracy"] for r in alone])
    assert result.metrics.get("search_rank_tau") == tau
    assert result.metrics["search_rank_cells"] == 3
    assert [step for step, _, _ in ctx.reports] == [2]  # nothing of it is reported
    assert not (ctx.workdir / "aside").exists()


def test_what_the_budget_does_not_hold_is_left_out_of_the_rank_check(tmp_path: Path) -> None:
    drawn = [RankedNetwork(config, 0.5) for config in rank.draw(NASBENCH201, 3, 0)]
    found = rank.rank_check(drawn, context(tmp_path, remaining=10.0), Network(PROTOCOL), 9.5)
    assert found == {"rank_cells": 0.0}


def test_a_small_space_gives_fewer_networks() -> None:
    space = NASBENCH201.fix(dict.fromkeys(list(NASBENCH201.parameters)[1:], "skip_connect"))
    assert 1 <= len(rank.draw(space, 9, 0)) <= 5
    assert rank.draw(NASBENCH201, 4, 1) == rank.draw(NASBENCH201, 4, 1)
    assert rank.draw(NASBENCH201, 4, 1) != rank.draw(NASBENCH201, 4, 2)
