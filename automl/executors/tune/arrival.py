"""A worker's side of what has travelled: where it finds what the driver has elsewhere.

On a node where nothing has arrived, such as that of a cluster of our own, paths stay as they are.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from automl.contracts import Job, PluginSpec
from automl.executors.tune.packing import MANIFEST
from automl.plugins import FOLDERS


@dataclass(frozen=True)
class Arrived:
    """Where the folders of the driver are on this node: pairs of the driver's and ours."""

    places: tuple[tuple[str, str], ...] = ()

    def here(self, path: str) -> str:
        """The place of one of the driver's paths on this node."""
        for there, own in self.places:
            if path == there or path.startswith(f"{there}{os.sep}"):
                return own + path[len(there) :]
        return path

    def value(self, value: Any) -> Any:
        """Plain data whose absolute paths are of the driver, with those of this node."""
        if isinstance(value, str):
            return self.here(value) if os.path.isabs(value) else value  # noqa: PTH117 - it may be no path
        if isinstance(value, dict):
            return {key: self.value(inner) for key, inner in value.items()}
        return [self.value(inner) for inner in value] if isinstance(value, list) else value


def job(sent: Job) -> Job:
    """A job of the driver's as it reads on this node. What has arrived is made ready, once."""
    arrived = arrive()
    if not arrived.places:
        return sent
    return replace(
        sent,
        import_path=[arrived.here(folder) for folder in sent.import_path],
        task=arrived.value(sent.task),
        space=arrived.value(sent.space),
        evaluator=plugin(sent.evaluator),
        protocol=plugin(sent.protocol),
    )


def plugin(spec: PluginSpec) -> PluginSpec:
    """A plug-in's name and options as they read on this node."""
    return replace(spec, options=arrive().value(spec.options))


@cache
def arrive() -> Arrived:
    """Take over plug-in folders and the working folder of the driver, in this process."""
    root = next((Path(entry) for entry in sys.path if (Path(entry) / MANIFEST).is_file()), None)
    if root is None:
        return Arrived()
    written = json.loads((root / MANIFEST).read_text(encoding="utf-8"))
    if any(written["plugins"]):
        folders = [str(root / name) for name in written["plugins"] if name is not None]
        os.environ[FOLDERS] = os.pathsep.join(folders)
    if written["working"] is not None and (root / written["working"]).is_dir():
        os.chdir(root / written["working"])
    return Arrived(tuple((there, str(root / own)) for there, own in written["places"].items()))
