"""Examines what a campaign needs: packages, devices, disks, the store, MLflow, Ray. Changes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import partial

from automl.doctor import installed, machine, processes, stores, variables
from automl.doctor.finding import Finding, Level, safely
from automl.ledger import resolve_store

__all__ = ["Finding", "Level", "examine"]


def examine(environ: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Every finding, one at a time; an examination that fails is a finding itself."""
    yield from safely("python", installed.python)
    yield from safely("packages", installed.packages)
    yield from safely("packages", installed.tested_versions)
    yield from safely("folder", variables.folder)
    yield from safely("variables", partial(variables.variables, environ))
    yield from safely("devices", machine.devices)
    yield from safely("disk", partial(machine.disks, machine.usual_places()))
    yield from safely("store", partial(_store, environ))
    yield from safely("ray", partial(processes.cluster, environ))
    yield from safely("ray", machine.shared_memory)
    yield from safely("processes", processes.left_over)
    yield from safely("ports", machine.port)


def _store(environ: Mapping[str, str]) -> Iterator[Finding]:
    store = resolve_store(environ)
    yield from safely("disk", partial(machine.disks, stores.places(store)))
    yield from safely("store", partial(stores.folder, store))
    yield from safely("ledger", partial(stores.ledger, store))
    yield from safely("mlflow", partial(stores.mlflow, store))
