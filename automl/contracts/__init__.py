"""The plain data and the contract of every kind of plug-in that all rooms share. Imports nothing of ours."""

from automl.contracts.basics import (
    LARGEST_VALUE,
    PROXY,
    RESERVED_METRICS,
    Config,
    Direction,
    Json,
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
    storable,
)
from automl.contracts.context import Checkpoint, Checkpoints, Context, Result, State
from automl.contracts.data import ADAPTATION_STEPS, Episodes, EpisodeSpec, Split, Task, TaskOutline
from automl.contracts.evaluators import (
    BaselineArm,
    Builder,
    Evaluator,
    EvaluatorOptions,
    Mistakes,
    Tabular,
    TabularOptions,
)
from automl.contracts.execution import Executor, JobSource
from automl.contracts.learners import LearnerTraits, TaskKind
from automl.contracts.messages import Job, Outcome, Replay, Replayed, Report
from automl.contracts.proxies import Proxy
from automl.contracts.strategies import Pruner, Strategy
from automl.contracts.supernets import MethodTraits

__all__ = [
    "ADAPTATION_STEPS",
    "LARGEST_VALUE",
    "PROXY",
    "RESERVED_METRICS",
    "BaselineArm",
    "Builder",
    "Checkpoint",
    "Checkpoints",
    "Config",
    "Context",
    "Direction",
    "EpisodeSpec",
    "Episodes",
    "Evaluator",
    "EvaluatorOptions",
    "Executor",
    "Job",
    "JobSource",
    "Json",
    "LearnerTraits",
    "MethodTraits",
    "Metric",
    "Mistakes",
    "Options",
    "Outcome",
    "PluginSpec",
    "Proxy",
    "Pruner",
    "Replay",
    "Replayed",
    "Report",
    "Result",
    "RunError",
    "Scalar",
    "Split",
    "State",
    "Strategy",
    "Tabular",
    "TabularOptions",
    "Task",
    "TaskKind",
    "TaskOutline",
    "TrialState",
    "TrialStopped",
    "UserError",
    "derive_seed",
    "digest",
    "storable",
]
