"""The plain data and the contract of every kind of plug-in that all rooms share. Imports nothing of ours."""

from automl.contracts.basics import (
    PROXY,
    Config,
    Direction,
    Metric,
    Options,
    PluginSpec,
    RunError,
    Scalar,
    TrialState,
    TrialStopped,
    UserError,
    derive_seed,
    digest,
)
from automl.contracts.context import Checkpoints, Context, Result
from automl.contracts.data import ADAPTATION_STEPS, Episodes, EpisodeSpec, Split, Task
from automl.contracts.evaluators import Evaluator, Tabular
from automl.contracts.execution import Executor, JobSource
from automl.contracts.messages import Job, Outcome, Replay, Replayed, Report

__all__ = [
    "ADAPTATION_STEPS",
    "PROXY",
    "Checkpoints",
    "Config",
    "Context",
    "Direction",
    "EpisodeSpec",
    "Episodes",
    "Evaluator",
    "Executor",
    "Job",
    "JobSource",
    "Metric",
    "Options",
    "Outcome",
    "PluginSpec",
    "Replay",
    "Replayed",
    "Report",
    "Result",
    "RunError",
    "Scalar",
    "Split",
    "Tabular",
    "Task",
    "TrialState",
    "TrialStopped",
    "UserError",
    "derive_seed",
    "digest",
]
