"""`automl train`: trains what `best.yaml` describes, by its campaign's protocol, and registers the model."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from automl import plugins
from automl.contracts import (
    Job,
    Json,
    PluginSpec,
    Report,
    RunError,
    TrialState,
    UserError,
    digest,
)
from automl.data.tasks import REFIT
from automl.executors.worker import run_job
from automl.export.registering import make_candidate, register
from automl.export.seeds import Seed, chosen_seed, seed_at
from automl.export.trainable import check_trainable
from automl.export.trust import check_trust
from automl.export.winner import Winner, read_winner
from automl.private import private

if TYPE_CHECKING:
    from automl.ledger.store import Store


@dataclass(frozen=True)
class Training:
    """What may differ from the campaign's protocol. `device`: cpu, cuda, or None for whatever is there.

    A meta-training of more `iterations` continues the shorter one. `seed` None: that of the campaign's best
    retraining, else a number from which another one is derived.
    """

    epochs: int | None = None
    iterations: int | None = None
    seed: int | None = None
    device: str | None = None


@dataclass(frozen=True)
class Trained:
    """A finished training: its metrics on validation data, its folder, its place in the registry.

    `exported`: the metric of the campaign's retraining with this seed, where it was trained in the same way.
    """

    name: str
    version: str
    values: dict[str, float]
    device_seconds: float
    folder: Path
    seed: int
    exported: float | None = None


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
    """Train the winner of the file `path`, register it, and give it the alias `candidate`.

    The same command again continues an interrupted training from its last checkpoint. `trust`: run code
    wherever the file says it is. Raises `UserError` for a wrong file, option, device or other data than the
    certificate's, and when no model would be left; `RunError` when the training fails.
    """
    winner = _checked(path, store, message, trust)
    done = _train(winner, path, store, training, chosen_seed(winner, training.seed), message)
    message(make_candidate(store, winner, done.version))
    return done


@private()
def train_seeds(
    path: Path,
    store: Store,
    count: int,
    training: Training = Training(),
    *,
    message: Callable[[str], None] = lambda _: None,
    trust: bool = False,
) -> list[Trained]:
    """Train the winner with `count` seeds: those of the campaign's retrainings first, then further ones.

    The best on validation data gets the alias `candidate`. Raises what `train` raises.
    """
    winner = _checked(path, store, message, trust)
    done = []
    for place in range(count):
        seed = seed_at(winner, place)
        message(f"training {place + 1} of {count}, seed {seed.value}{seed.told}")
        done.append(_train(winner, path, store, training, seed, message))
    sign = 1 if winner.certificate.direction == "maximize" else -1
    best = max(done, key=lambda one: sign * one.values[winner.certificate.metric])
    message(make_candidate(store, winner, best.version))
    return done


def _checked(path: Path, store: Store, message: Callable[[str], None], trust: bool) -> Winner:
    winner = read_winner(path)
    if not trust:
        check_trust(winner, path, store)
    check_trainable(winner, path, message)
    return winner


def _train(
    winner: Winner,
    path: Path,
    store: Store,
    training: Training,
    seed: Seed,
    message: Callable[[str], None],
) -> Trained:
    job = _job(winner, store, training, seed, path.resolve().parent)
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
    version = register(store, winner, job, (outcome, channel.reports))
    names = [metric.name for metric in winner.task.metrics]
    values = dict(zip(names, outcome.values or [], strict=True))
    certificate = winner.certificate
    as_exported = job.evaluator == winner.training and not job.gpus and not certificate.refit
    as_exported = as_exported and certificate.ensemble is None
    exported = seed.exported if as_exported else None
    return Trained(winner.name, version, values, outcome.device_seconds, folder, seed.value, exported)


def _job(winner: Winner, store: Store, training: Training, seed: Seed, folder: Path) -> Job:
    evaluator = _recipe(winner.training, training)
    device = _device(training.device)
    gpus = 1.0 if device == "cuda" else 0.0
    cpus = seed.cpus or float(os.cpu_count() or 1)
    options = {name: value for name, value in evaluator.options.items() if name != "iterations"}
    identity = digest([winner.origin, options, seed.named])[:12]
    return Job(
        trial=f"{winner.name}/train-{identity}",
        token=identity,
        attempt=1,
        space=winner.space.model_dump(mode="json"),
        task=_task(winner),
        metrics=[{"name": metric.name, "direction": str(metric.direction)} for metric in winner.task.metrics],
        evaluator=evaluator,
        protocol=evaluator,
        config=winner.trained,
        seed=seed.value,
        workdir=str(store.folder / "train" / f"{winner.name}-{identity}"),
        devices=gpus or cpus,
        cpus=cpus,
        gpus=gpus,
        remaining=None,
        deadline=float(evaluator.options.get("deadline", 3600)),
        final=True,
        import_path=[*winner.import_path, str(folder)],
    )


def _task(winner: Winner) -> Json:
    task = winner.task.model_dump(mode="json")
    return {**task, REFIT: True} if winner.certificate.refit else task


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
