"""Datasets and tasks: hands out training and validation data, seals test."""

from automl.data.dataset import Dataset
from automl.data.tasks import load_task

__all__ = ["Dataset", "load_task"]
