"""Trials in parallel on Ray, here or on a cluster: one Tune run whose points come from the campaign.

Ray is imported when trials are about to run: its import takes seconds, which a study that is only checked
or forecast need not pay.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import ClassVar, Self

from pydantic import Field, model_validator

from automl import contracts
from automl.contracts import Executor, JobSource, UserError
from automl.executors.ranks import check_ranks


class RayOptions(contracts.Options):
    """`cpus`, `gpus`: what each trial holds, fractions allowed.

    `ranks`: processes that train one trial together, dividing its CPUs; by default one, or one for each GPU.
    `trials_at_once`: by default as many as fit. `address`: a running cluster (`auto` finds it);
    by default one of our own on this machine.
    """

    trials_at_once: int | None = Field(default=None, ge=1)
    cpus: float = Field(default=1, gt=0)
    gpus: float = Field(default=0, ge=0)
    ranks: int | None = Field(default=None, ge=1)
    address: str | None = None

    @model_validator(mode="after")
    def _divides(self) -> Self:
        check_ranks(self.ranks, self.cpus, self.gpus)
        return self


class Ray(Executor):
    """Runs jobs on a Ray cluster, as many at once as fit or as asked for."""

    Options = RayOptions
    place_options: ClassVar[frozenset[str]] = frozenset({"address"})

    options: RayOptions

    def __init__(self, options: RayOptions) -> None:
        super().__init__(options)
        self.cpus, self.gpus = options.cpus, options.gpus
        self.ranks = options.ranks or max(1, int(options.gpus))
        self.trials_at_once = options.trials_at_once or max(1, int((os.cpu_count() or 1) / options.cpus))
        self._connected = False
        self._folder: str | None = None  # Tune's, made when trials are run

    def check(self) -> None:
        """Start or join the cluster. Raises `UserError` when no node has what a trial asks for."""
        from automl.executors.tune import cluster  # see the module's docstring

        self._connected = True
        cluster.connect(self.options.address)
        try:
            slots = cluster.slots(self.cpus, self.gpus)
        except UserError:
            self.close()
            raise
        self.trials_at_once = min(self.options.trials_at_once or slots, slots)

    def run(self, source: JobSource) -> None:
        """Run jobs from `source` until it is finished."""
        from automl.executors.tune import cluster  # see the module's docstring

        self._folder = self._folder or tempfile.mkdtemp(prefix=f"automl-ray-{os.getpid()}-")
        cluster.run(
            source,
            cpus=self.cpus,
            gpus=self.gpus,
            trials_at_once=self.trials_at_once,
            folder=self._folder,
            address=self.options.address,
        )

    def close(self) -> None:
        """Leave the cluster; one of our own ends with all its workers."""
        if self._connected:
            from automl.executors.tune import cluster  # see the module's docstring

            cluster.leave()
            self._connected = False
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


PLUGIN = Ray
