"""`automl train`: trains what `best.yaml` describes, by its campaign's protocol, and registers the model."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from automl import plugins
from automl.contracts import (
    Job,
    Outcome,
    PluginSpec,
    Report,
    RunError,
    TrialState,
    UserError,
    derive_seed,
    digest,
)
from automl.data import load_task
from automl.executors.worker import run_job
from automl.export.signing import sign_text
from automl.export.trust import check_trust
from automl.export.winner import Winner, read_winner
from automl.private import private
from automl.provenance import collect
from automl.storage import prepare

if TYPE_CHECKING:
    from automl.ledger.store import Store


@dataclass(frozen=True)
class Training:
    """What may differ from the campaign's protocol. `device`: cpu, cuda, or None for whatever is there.

    A meta-training of more `iterations` continues the shorter one.
    """

    epochs: int | None = None
    iterations: int | None = None
    seed: int = 0
    device: str | None = None


PROTOCOL = Training()


@dataclass(frozen=True)
class Trained:
    """A finished training: its metrics on validation data, its folder, its place in the registry."""

    name: str
    version: str
    values: dict[str, float]
    device_seconds: float
    folder: Path


@dataclass
class _Channel:
    """Keeps the reports of a training and tells a person of each."""

    metric: str
    message: Callable[[str], None]
    reports: list[Report] = field(default_factory=list)

    def report(self, report: Report) -> str | None:
        self.reports.append(report)
        value = "" if report.value is None else f": {self.metric} {report.value:.4f}"
        self.message(f"step {report.step}{value} ({report.device_seconds:.1f} s)")
        return None


@private()
def train(
    path: Path,
    store: Store,
    training: Training = Training(),
    *,
    message: Callable[[str], None] = lambda _: None,
    trust: bool = False,
) -> Trained:
    """Train the winner of the file `path` and register it with the alias `candidate`.

    The same command again continues an interrupted training from its last checkpoint. `trust`: run code
    wherever the file says it is. Raises `UserError` for a wrong file, option, device or other data than the
    certificate's; `RunError` when the training fails.
    """
    winner = read_winner(path)
    if not trust:
        check_trust(winner, path, store)
    _check_trains(winner, path)
    _check_data(winner)
    job = _job(winner, store, training, path.resolve().parent)
    channel = _Channel(winner.certificate.metric, message)
    outcome = run_job(job, channel)
    if outcome.state is not TrialState.COMPLETE:
        raise RunError(
            f"training {winner.name} failed: {outcome.reason}; nothing was registered; its checkpoints are "
            f"in {job.workdir}, and the same command goes on from there"
        )
    folder = Path(job.workdir) / "model"
    if not folder.is_dir():
        raise UserError(
            f"a training must leave a model to be registered, but {job.evaluator.name!r} left none; write it "
            f"to context.workdir / 'model' when context.final is true, or use {path} directly"
        )
    version = _register(store, winner, job, (outcome, channel.reports))
    names = [metric.name for metric in winner.task.metrics]
    values = dict(zip(names, outcome.values or [], strict=True))
    return Trained(winner.name, version, values, outcome.device_seconds, folder)


def _check_trains(winner: Winner, path: Path) -> None:
    if winner.tabular:
        fixed = ", ".join(f"{name}: {json.dumps(value)}" for name, value in winner.trained.items())
        raise UserError(
            f"`automl train` needs a winner of an evaluator that trains models, but that of {path} is "
            f"{winner.training.name!r}, which looks results up in a benchmark table; to train this "
            "configuration, write a study with a dataset, evaluator: network, budget: {trials: 1} and "
            f"space: {{name: {winner.space.name}, fix: {{{fixed}}}}}, or another space that builds it"
        )


def _check_data(winner: Winner) -> None:
    expected = winner.certificate.data
    if expected is None:
        return
    found = load_task(winner.task.model_dump(mode="json"), winner.import_path).digest
    if found != expected:
        raise UserError(
            f"the data must be those the winner was found on ({expected[:12]}), but {winner.task.dataset} is "
            f"now {found[:12]}; restore them, or run the study again on the new data"
        )


def _job(winner: Winner, store: Store, training: Training, folder: Path) -> Job:
    evaluator = _recipe(winner.training, training)
    device = _device(training.device)
    gpus = 1.0 if device == "cuda" else 0.0
    cpus = float(os.cpu_count() or 1)
    options = {name: value for name, value in evaluator.options.items() if name != "iterations"}
    identity = digest([winner.checksum, options, training.seed])[:12]
    return Job(
        trial=f"{winner.name}/train-{identity}",
        token=identity,
        attempt=1,
        space=winner.space.model_dump(mode="json"),
        task=winner.task.model_dump(mode="json"),
        metrics=[{"name": metric.name, "direction": str(metric.direction)} for metric in winner.task.metrics],
        evaluator=evaluator,
        protocol=evaluator,
        config=winner.trained,
        seed=derive_seed(winner.name, "train", training.seed),
        workdir=str(store.folder / "train" / f"{winner.name}-{identity}"),
        devices=gpus or cpus,
        cpus=cpus,
        gpus=gpus,
        remaining=None,
        deadline=float(evaluator.options.get("deadline", 3600)),
        final=True,
        import_path=[*winner.import_path, str(folder)],
    )


def _recipe(spec: PluginSpec, training: Training) -> PluginSpec:
    options = dict(spec.options)
    for name, value in (("epochs", training.epochs), ("iterations", training.iterations)):
        if value is None:
            continue
        if name not in options:
            raise UserError(
                f"--{name} needs an evaluator that has {name}, but {spec.name!r} has none; leave it out"
            )
        if value < 1:
            raise UserError(f"--{name} must be at least 1, but got {value}")
        options[name] = value
    if options == spec.options:
        return spec
    plugin = plugins.load("evaluators", spec.name)
    return PluginSpec(spec.name, plugin.Options(**options).model_dump(mode="json"))


def _device(name: str | None) -> str:
    import torch  # torch takes seconds to import

    usable = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    if name is not None and name not in usable:
        raise UserError(
            f"--device must be one this machine has, but got {name!r}; known: {', '.join(usable)}"
        )
    return name or usable[-1]


def _register(store: Store, winner: Winner, job: Job, done: tuple[Outcome, list[Report]]) -> str:
    from automl.recorder.registry import TrainingRun, register_model  # importing mlflow takes a second

    outcome, reports = done
    certificate = winner.certificate
    names = [metric.name for metric in winner.task.metrics]
    run = TrainingRun(
        identity=job.trial,
        metric=certificate.metric,
        params={"config": job.config, "training": job.evaluator.options, "seed": job.seed},
        values={**outcome.metrics, **dict(zip(names, outcome.values or [], strict=True))},
        reports=reports,
        tags={
            "automl.campaign": certificate.campaign,
            "automl.arm": certificate.arm,
            "automl.trial": certificate.trial,
            "automl.certificate": winner.checksum,
            "automl.data": certificate.data or "",
            "automl.device": outcome.device,
            "automl.provenance": json.dumps(collect(Path(__file__).parent).to_json()),
        },
    )
    prepare(store)
    folder = Path(job.workdir) / "model"
    return register_model(
        store, name=winner.name, folder=folder, run=run, sign=lambda text: sign_text(text, store)
    )
