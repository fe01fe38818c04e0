"""Study YAML → validated `Study`; every mistake at once, with file, line and key."""

from automl.config.amounts import Budget, Limits
from automl.config.loading import load_study, recorded_study
from automl.config.priority import read_priority
from automl.config.promotion import CHAMPION, Promote
from automl.config.resolved import ResolvedArm, ResolvedStudy, resolve, with_executor
from automl.config.schedule import Schedule
from automl.config.secrets import secret_values
from automl.config.shadows import warnings
from automl.config.study import (
    ADDED,
    EXTENT,
    Arm,
    Final,
    Looks,
    Memory,
    Retry,
    SpaceSpec,
    Study,
    Trial,
)
from automl.config.target import EVENTS, Event, Target
from automl.config.targets import read_targets
from automl.config.transfer import Transfer

__all__ = [
    "ADDED",
    "CHAMPION",
    "EVENTS",
    "EXTENT",
    "Arm",
    "Budget",
    "Event",
    "Final",
    "Limits",
    "Looks",
    "Memory",
    "Promote",
    "ResolvedArm",
    "ResolvedStudy",
    "Retry",
    "Schedule",
    "SpaceSpec",
    "Study",
    "Target",
    "Transfer",
    "Trial",
    "load_study",
    "read_priority",
    "read_targets",
    "recorded_study",
    "resolve",
    "secret_values",
    "warnings",
    "with_executor",
]
