"""Study YAML → validated `Study`; every mistake at once, with file, line and key."""

from automl.config.loading import load_study, recorded_study
from automl.config.resolved import ResolvedArm, ResolvedStudy, resolve
from automl.config.secrets import secret_values
from automl.config.shadows import warnings
from automl.config.study import (
    EVENTS,
    EXTENT,
    Arm,
    Budget,
    Event,
    Final,
    Limits,
    Looks,
    Memory,
    Retry,
    Schedule,
    SpaceSpec,
    Study,
    Target,
    Trial,
)
from automl.config.targets import read_targets

__all__ = [
    "EVENTS",
    "EXTENT",
    "Arm",
    "Budget",
    "Event",
    "Final",
    "Limits",
    "Looks",
    "Memory",
    "ResolvedArm",
    "ResolvedStudy",
    "Retry",
    "Schedule",
    "SpaceSpec",
    "Study",
    "Target",
    "Trial",
    "load_study",
    "read_targets",
    "recorded_study",
    "resolve",
    "secret_values",
    "warnings",
]
