"""Looks at one node, in a worker there: whether trials of a campaign can run on it."""

from __future__ import annotations

import importlib
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Final

from automl import plugins
from automl.contracts import Json, Needs, PluginSpec
from automl.data import load_task
from automl.executors import process
from automl.executors.tune import arrival
from automl.executors.tune.shared_folder import sees
from automl.files import probe
from automl.spaces import load_space

MATTER: Final = (
    "ray",
    "torch",
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "pillow",
    "pydantic",
    "optuna",
)  # packages whose version can change what a trial does
LEAST_FREE: Final = 256 << 20  # bytes on each disk that trials write to
ELSEWHERE: Final = "data outside of the study's folder must lie at the same path on every node"
APART: Final = (
    "it does not see {folder}, from which the driver reads the models of retrainings; let all nodes share "
    "it, or set AUTOML_STORAGE"
)
ANSWER: Final = 300.0  # seconds that torch may take to find its devices
HIDDEN: Final = "CUDA_VISIBLE_DEVICES"  # empty in a worker that holds no GPU
_DEVICES: Final = """
import json, torch
found = range(torch.cuda.device_count() if torch.cuda.is_available() else 0)
print(json.dumps([torch.__version__, [torch.cuda.get_device_name(number) for number in found]]))
"""


def examine(order: str) -> str:
    """What there is on this node, as JSON; `order`: `needs`, and the `gpus` that a trial holds.

    `problems`: sentences, each of which keeps trials away. `clock`: POSIX seconds. `apart`: whether what
    trials leave stays here.
    """
    arrived, wanted = arrival.arrive(), json.loads(order)
    needs = Needs.from_json(wanted["needs"])
    process.add_import_path([arrived.here(folder) for folder in needs.import_path])
    found: Json = {"host": socket.gethostname(), **versions(), "digest": "", "gpus": [], "apart": False}
    problems = list(_of_code(needs))
    if not problems:
        problems = [
            f"{one}; {ELSEWHERE}" for one in _tried("data", lambda: found.update(digest=_digest(needs)))
        ]
    if needs.storage is not None:
        problems += _tried("storage", partial(probe, needs.storage))
    if needs.mark and not sees(Path(needs.folder), needs.mark):
        found["apart"] = True
        problems += [APART.format(folder=needs.folder)] if needs.models else []
    if wanted["gpus"]:
        version, found["gpus"] = devices()
        problems += [] if found["gpus"] else [no_device(wanted["gpus"], version)]
    found["free"] = min(_free(place) for place in (needs.folder or ".", tempfile.gettempdir()))
    return json.dumps({**found, "problems": problems, "clock": time.time()})


def versions() -> Json:
    """Versions of Python and of the packages that matter, as far as they are installed here."""
    found = {}
    for name in MATTER:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {"python": platform.python_version(), "packages": found}


def devices() -> tuple[str, list[str]]:
    """The version of torch, and the CUDA devices that it sees on this machine, by name.

    In a process of its own: this one may be hidden from them, and must not hold them.
    """
    environ = dict(os.environ)
    if environ.get(HIDDEN) == "":
        del environ[HIDDEN]
    words = [sys.executable, "-P", "-c", _DEVICES]
    done = subprocess.run(
        words,
        env=environ,
        capture_output=True,
        text=True,
        timeout=ANSWER,
        check=False,
        cwd=tempfile.gettempdir(),
    )
    if done.returncode:
        return f"which fails: {(done.stderr.strip().splitlines() or ['it was killed'])[-1]}", []
    version, names = json.loads(done.stdout)
    return version, names


def no_device(gpus: float, version: str) -> str:
    """What is wrong where a trial is to hold GPUs that torch does not see."""
    return (
        f"a trial holds gpus={gpus:g}, but torch {version} sees no CUDA device; install a torch with CUDA "
        "for its driver (see pytorch.org), or set executor.ray.gpus to 0"
    )


def _of_code(needs: Needs) -> Iterator[str]:
    for spec in needs.evaluators:
        yield from _tried(f"evaluator {spec.name}", partial(_load, arrival.plugin(spec)))
    for space in needs.spaces:
        yield from _tried("space", partial(load_space, arrival.arrive().value(space)))


def _load(spec: PluginSpec) -> None:
    evaluator = plugins.build("evaluators", spec)
    evaluator.check_code()
    for library in evaluator.libraries:
        importlib.import_module(library)


def _digest(needs: Needs) -> str:
    if needs.task is None:
        return ""
    arrived = arrival.arrive()
    folders = [arrived.here(folder) for folder in needs.import_path]
    return load_task(arrived.value(needs.task), folders).digest


def _tried(what: str, do: Callable[[], object]) -> list[str]:
    try:
        do()
    except (Exception, SystemExit) as error:
        return [f"{what}: {str(error) or repr(error)}"]
    return []


def _free(place: str) -> int:
    path = Path(place).absolute()
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free
