"""The evaluator supernet: search and training within one budget, resume, options, refusals."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_context import FakeContext, TinySpace, image_task
from pydantic import ValidationError

from automl.contracts import RunError, Split, Task, TrialStopped, UserError
from automl.evaluators import supernet
from automl.evaluators.network import Network
from automl.evaluators.supernet import Supernet
from automl.oneshot import plan, search
from automl.oneshot.options import SupernetOptions
from automl.searchspaces.nasbench201 import PLUGIN as NASBENCH201
from automl.training import images, procedure
from automl.training.procedure import train_network
from automl.training.recipe import NetworkOptions

torch.set_num_threads(1)
PROTOCOL = NetworkOptions(epochs=2, batch_size=32, channels=2)


def context(path: Path, **fields: Any) -> FakeContext:
    given = {"given_task": image_task(rows=48), "space": NASBENCH201, "protocol": Network(PROTOCOL)}
    return FakeContext(path, **{**given, **fields})


def evaluate(ctx: FakeContext, **options: Any) -> Any:
    given = {"epochs": 3, "batch_size": 16}
    return Supernet(SupernetOptions(**{**given, **options})).evaluate({}, ctx)


def artifact(ctx: FakeContext, name: str) -> Any:
    return json.loads((ctx.workdir / "artifacts" / name).read_text())


def test_the_value_is_that_of_the_derived_network_trained_by_the_protocol(tmp_path: Path) -> None:
    ctx = context(tmp_path / "search")
    result = evaluate(ctx)
    NASBENCH201.check(result.derived)
    assert "none" not in result.derived.values()
    alone = train_network(result.derived, context(tmp_path / "alone"), PROTOCOL)
    assert result.values == alone.values
    assert result.metrics["train_loss"] == alone.metrics["train_loss"]
    assert [step for step, _, _ in ctx.reports] == [4, 5]  # nothing is reported while searching
    assert result.metrics["search_epochs"] == 3


def test_artifacts_tell_the_search(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    result = evaluate(ctx)
    assert artifact(ctx, "genotype.json") == result.derived
    strengths, health = artifact(ctx, "strengths.json"), artifact(ctx, "health.json")
    assert strengths["edges"] == list(NASBENCH201.parameters)
    assert strengths["operations"][:2] == ["none", "skip_connect"]
    assert [entry["epoch"] for entry in strengths["epochs"]] == [0, 1, 2, 3]
    for entry in strengths["epochs"]:
        assert [math.isclose(sum(row), 1, rel_tol=1e-6) for row in entry["strengths"]] == [True] * 6
    epochs = health["epochs"]
    for entry in epochs:
        assert entry["entropy"] == pytest.approx(math.log(5), abs=1e-3)
        assert entry["none_share"] == pytest.approx(0.2, abs=1e-3)
        assert entry["skips"] == list(entry["genotype"].values()).count("skip_connect")
    assert epochs[-1]["genotype"] == result.derived
    assert all(0 < entry["train_loss"] < 3 and 0 < entry["validation_loss"] < 3 for entry in epochs[1:])


@pytest.mark.slow
def test_same_seed_equal_other_seed_different(tmp_path: Path) -> None:
    seen = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        ctx = context(tmp_path / name, seed=seed)
        result = evaluate(ctx)
        seen[name] = (result.values, result.derived, artifact(ctx, "strengths.json"))
    assert seen["a"] == seen["b"]
    assert seen["a"][2] != seen["c"][2]


class Killed(BaseException):
    """Stands for SIGKILL."""


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"order": 1}, {"order": 2}], ids=str)
@pytest.mark.parametrize("saves", [1, 2, 3, 4, 5])
def test_a_killed_trial_ends_as_an_uninterrupted_one(
    tmp_path: Path, saves: int, options: dict[str, Any]
) -> None:
    """Killed after a checkpoint of the search (1 to 3), of what it found (4) or of the training (5)."""
    whole = context(tmp_path / "whole")
    expected = evaluate(whole, **options)
    ctx = context(tmp_path / "killed")
    save, done = ctx.checkpoint.save, []

    def save_and_die(step: int, state: Any) -> None:
        save(step, state)
        done.append(step)
        if len(done) == saves:
            raise Killed

    ctx.checkpoint.save = save_and_die  # type: ignore[method-assign]
    with pytest.raises(Killed):
        evaluate(ctx, **options)
    again = context(tmp_path / "killed")
    result = evaluate(again, **options)
    assert result.values == expected.values and result.derived == expected.derived
    for name in ("strengths.json", "health.json"):
        assert artifact(again, name) == artifact(whole, name)
    assert again.reports == whole.reports[max(0, saves - 4) :]
    assert ctx.logs + again.logs == whole.logs


def test_a_pruned_training_stays_pruned(tmp_path: Path) -> None:
    with pytest.raises(TrialStopped):
        evaluate(context(tmp_path, stop_at=1))


class Budgeted(FakeContext):
    """A context whose budget runs down with the clock."""

    total = math.inf
    start = 0.0

    @property
    def remaining(self) -> float:  # type: ignore[override]
        return self.total - (time.monotonic() - self.start) * self.devices

    @remaining.setter
    def remaining(self, value: float) -> None:
        self.total, self.start = value, time.monotonic()


class Clock:
    """Time that passes only where the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, step: float, training: float) -> None:
        self.now = 0.0
        self.timed: list[dict[str, Any]] = []
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(search.SupernetSearch, "probe", lambda _search: step)
        original = search.SupernetSearch.epoch

        def epoch(search: Any, done: int, planned: int) -> Any:
            self.now += step
            return original(search, done, planned)

        def seconds_per_epoch(config: Any, *_: Any, **__: Any) -> float:
            self.timed.append(config)
            return training / PROTOCOL.epochs

        monkeypatch.setattr(search.SupernetSearch, "epoch", epoch)
        monkeypatch.setattr(procedure, "seconds_per_epoch", seconds_per_epoch)


def budgeted(path: Path, seconds: float, devices: float = 1.0) -> Budgeted:
    given = {"given_task": image_task(rows=16), "space": NASBENCH201, "protocol": Network(PROTOCOL)}
    return Budgeted(path, **given, remaining=seconds, devices=devices)


@pytest.mark.parametrize(("seconds", "devices"), [(40.0, 1.0), (20.0, 0.5), (80.0, 2.0)])
def test_the_plan_fills_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, devices: float
) -> None:
    """40 wall seconds: 5.2 stay unused and 11 go into training for 10; 23.8 hold 11 epochs of 2 seconds."""
    Clock(monkeypatch, step=2.0, training=10.0)
    result = evaluate(budgeted(tmp_path, seconds, devices), epochs=None)
    assert result.metrics["search_epochs"] == 11


def test_epochs_is_an_upper_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch, step=2.0, training=10.0)
    assert evaluate(budgeted(tmp_path / "a", 40.0), epochs=4).metrics["search_epochs"] == 4
    assert evaluate(budgeted(tmp_path / "b", 40.0), epochs=40).metrics["search_epochs"] == 11


def test_the_deadline_bounds_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch, step=2.0, training=10.0)
    result = evaluate(budgeted(tmp_path, math.inf), epochs=None, deadline=40.0)
    assert result.metrics["search_epochs"] == 11


def test_a_tight_budget_gets_one_epoch_and_too_small_a_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Clock(monkeypatch, step=2.0, training=10.0)
    assert evaluate(budgeted(tmp_path / "a", 12.5), epochs=None).metrics["search_epochs"] == 1
    with pytest.raises(RunError, match=r"search epoch \(2.0 s\).*one epoch \(5.0 s\).*6.5 s are left"):
        evaluate(budgeted(tmp_path / "b", 6.5), epochs=None)


@pytest.mark.parametrize("seconds", [12.5, 1.0])
def test_the_first_trial_of_a_search_has_a_value_on_any_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """A training takes 10 s. Once the plan is made, the machine needs 100 s for a step."""
    clock = Clock(monkeypatch, step=2.0, training=10.0)
    steps, inner = [], search.SupernetSearch.one_step

    def slower(*arguments: Any) -> Any:
        clock.now += 100.0
        steps.append(clock.now)
        return inner(*arguments)

    monkeypatch.setattr(search.SupernetSearch, "one_step", slower)
    ctx = budgeted(tmp_path, seconds)
    ctx.needs_value = True
    result = evaluate(ctx, epochs=None, batch_size=4)
    assert len(steps) == result.metrics["search_epochs"] == 1
    assert math.isfinite(result.values["accuracy"])
    assert result.note == (
        "the budget left time for 50% of the last search epoch; "
        "the budget left time for 1 of 2 epochs of training"
    )
    assert not ctx.logs and not ctx.reports, "each would end a trial whose budget is used up"


def test_the_plan_follows_a_search_that_slows_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, step=2.0, training=10.0)
    inner = search.SupernetSearch.epoch

    def slower(search: Any, done: int, planned: int) -> Any:
        clock.now += 4.0 if done >= 3 else 0.0
        return inner(search, done, planned)

    monkeypatch.setattr(search.SupernetSearch, "epoch", slower)
    result = evaluate(budgeted(tmp_path, 40.0), epochs=None)
    assert 5 <= result.metrics["search_epochs"] <= 6
    assert clock.now + 10.0 <= 40.0


def test_timing_derived_networks_stays_cheap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once timing costs more than its share, only the network about to be trained is timed."""
    clock = Clock(monkeypatch, step=2.0, training=10.0)
    timed = procedure.seconds_per_epoch

    def slow(*arguments: Any, **options: Any) -> float:
        clock.now += 1.0
        return timed(*arguments, **options)

    monkeypatch.setattr(procedure, "seconds_per_epoch", slow)
    evaluate(budgeted(tmp_path, 60.0), epochs=None, alpha_rate=0.5)
    assert clock.now + 10 <= 60.0
    assert len(clock.timed) <= 4


@pytest.mark.slow
def test_a_real_clock_leaves_a_value(tmp_path: Path) -> None:
    ctx = Budgeted(tmp_path, image_task(rows=300), NASBENCH201, protocol=Network(PROTOCOL), remaining=12.0)
    ctx.needs_value = True
    result = evaluate(ctx, epochs=None)
    assert result.metrics["search_epochs"] >= 1  # how many depends on what else the machine does
    assert math.isfinite(result.values["accuracy"])


def test_without_a_budget_the_default_number_of_epochs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "EPOCHS", 2)
    assert evaluate(context(tmp_path), epochs=None).metrics["search_epochs"] == 2


def test_fixed_edges_stay_fixed(tmp_path: Path) -> None:
    space = NASBENCH201.fix({"edge_0_1": "avg_pool_3x3", "edge_0_2": "none"})
    result = evaluate(context(tmp_path, space=space))
    assert (result.derived["edge_0_1"], result.derived["edge_0_2"]) == ("avg_pool_3x3", "none")


def test_a_diverging_supernet_fails_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="lower learning_rate"):
        evaluate(context(tmp_path), learning_rate=1e30, clip=1e30)


def test_halves_are_disjoint_balanced_and_complete() -> None:
    data = images.to_device(image_task(rows=60).train, "cpu")
    data = images.Images(torch.arange(60.0), data.y)
    first, second = search.halves(data)
    assert sorted([*first.x.tolist(), *second.x.tolist()]) == list(range(60))
    assert first.y.bincount().tolist() == second.y.bincount().tolist() == [10, 10, 10]


def test_the_two_halves_never_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images seen by weight steps are never seen by alpha steps."""
    seen: tuple[set[bytes], set[bytes]] = (set(), set())
    method = search.WeightSharing
    original = method.step

    def step(self: Any, train: Any, validation: Any, progress: float) -> Any:
        for batch, part in zip((train[0], validation[0]), seen, strict=True):
            part.update(image.numpy().tobytes() for image in batch)
        return original(self, train, validation, progress)

    monkeypatch.setattr(method, "step", step)
    protocol = Network(PROTOCOL.model_copy(update={"augment": "none"}))
    evaluate(context(tmp_path, protocol=protocol))
    assert len(seen[0]) == len(seen[1]) == 24
    assert not seen[0] & seen[1]


def test_wrong_studies_are_refused(tmp_path: Path) -> None:
    few = image_task(rows=3)
    table = Task("t", "table", (4,), 2, few.train, few.validation, "0")
    for fields, message in (
        ({"space": TinySpace()}, "space that builds supernets: .*nasbench201"),
        (
            {"protocol": Supernet(SupernetOptions())},
            "an evaluator that trains networks, but got one of type Supernet; known ones: network",
        ),
        ({"given_task": few}, "at least 4 training images, but got 3"),
        ({"given_task": table}, "images with classes"),
    ):
        with pytest.raises(UserError, match=message):
            evaluate(context(tmp_path, **fields))
    assert not (tmp_path / "artifacts").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "dart"}, "did you mean 'darts'"),
        ({"order": 3}, "order: Input should be 1 or 2, but got 3"),
        ({"ordr": 2}, "ordr: Extra inputs are not permitted.*known options: method"),
        ({"alpha_rate": -1}, "alpha_rate: Input should be greater than 0"),
        ({"epochs": 0}, "greater than or equal to 1"),
        ({"batch_size": 1}, "greater than or equal to 2"),
        ({"on_collapse": "pray"}, "'stop', 'rollback' or 'warn'"),
        ({"rank_check": -1}, "greater than or equal to 0"),
        ({"eigenvalue_every": -1}, "greater than or equal to 0"),
        ({"alarms": {"factor": 1.0}}, "greater than 1"),
        ({"alarms": {"windows": 3}}, "Extra inputs are not permitted"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SupernetOptions(**options)


def test_options_survive_json() -> None:
    options = SupernetOptions(method="darts", order=2, hvp="finite_difference")
    assert SupernetOptions(**json.loads(options.model_dump_json())) == options
    assert options.method_options().order == 2


def test_score_is_the_networks(tmp_path: Path) -> None:
    ctx = context(tmp_path, final=True)
    result = evaluate(ctx)
    data: Split = ctx.task.validation
    scores = Supernet(SupernetOptions()).score(tmp_path / "model", ctx.task, data, ctx.metrics)
    assert scores == result.values
    assert supernet.PLUGIN is Supernet
