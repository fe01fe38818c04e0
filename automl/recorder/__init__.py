"""Projects the ledger into MLflow. The only room that imports mlflow."""

# `environment` first: mlflow reads these settings when it is imported
from automl.recorder import environment as environment
from automl.recorder.recorder import Recorder
from automl.recorder.telling import RecordingError
from automl.recorder.wanted_run import Artifact, checkpoint_artifact

__all__ = ["Artifact", "Recorder", "RecordingError", "checkpoint_artifact"]
