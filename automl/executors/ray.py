"""Trials in parallel on Ray, here or on a cluster: one Tune run whose points come from the campaign.

Ray is imported when trials are about to run: its import takes seconds, which a study that is only checked
or forecast need not pay.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from automl import contracts
from automl.contracts import THIS_HOST, Executor, Held, JobSource, Luggage, Needs, UserError
from automl.executors.holding import held_instead
from automl.executors.ranks import check_ranks
from automl.files import named_url

if TYPE_CHECKING:
    from automl.executors.tune.slots import Slots


class RayOptions(contracts.Options):
    """`cpus`, `gpus`: what each trial holds, fractions allowed; `resources`: Ray's resources of other names.

    `ranks`: processes that train one trial together, dividing its CPUs; by default one, or one for each GPU.
    `trials_at_once`: by default as many as fit, which follows nodes that come and go. `address`: a running
    cluster (`auto` finds it); by default one of our own on this machine. `nodes_within`: seconds that such a
    cluster may take to get a node with room for a trial. `answers_late`: a trial goes on after a report
    without waiting for the answer, which ends it at a later one. `storage`: where workers bring checkpoints,
    models and artifacts and take them from, by URL (s3://, gs://, abfs://, file:///) or as an absolute path
    that all nodes share; by default what AUTOML_STORAGE names.
    """

    trials_at_once: int | None = Field(default=None, ge=1)
    cpus: float = Field(default=1, gt=0)
    gpus: float = Field(default=0, ge=0)
    resources: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    ranks: int | None = Field(default=None, ge=1)
    address: str | None = None
    nodes_within: float = Field(default=300, ge=0)
    answers_late: bool = False
    storage: str | None = None

    @field_validator("storage")
    @classmethod
    def _as_url(cls, value: str | None) -> str | None:
        try:
            return None if value is None else named_url(value, "storage")
        except UserError as error:
            raise ValueError(str(error)) from None

    @model_validator(mode="after")
    def _divides(self) -> Self:
        check_ranks(self.ranks, self.cpus, self.gpus)
        return self


class Ray(Executor):
    """Runs jobs on a Ray cluster, as many at once as fit or as asked for."""

    Options = RayOptions
    place_options: ClassVar[frozenset[str]] = frozenset({"address", "nodes_within", "storage"})
    turn = 30.0  # a worker for a slot takes seconds to start

    options: RayOptions

    def __init__(self, options: RayOptions) -> None:
        super().__init__(options)
        self.cpus, self.gpus, self.storage = options.cpus, options.gpus, options.storage
        self.ranks = options.ranks or max(1, int(options.gpus))
        self.trials_at_once = options.trials_at_once or max(1, int((os.cpu_count() or 1) / options.cpus))
        self._connected = False
        self._slots: Slots | None = None
        self._folder: str | None = None  # Tune's, made when trials are run
        self._luggage: Luggage | None = None

    def held_by(self, cpus: float | None, gpus: float | None) -> Held:
        """What a trial holds whose arm asks for so much, fractions allowed."""
        return held_instead(self.held, cpus, gpus)

    def bring(self, luggage: Luggage) -> None:
        """Send code and data to the nodes when a cluster is joined; one of our own has them."""
        self._luggage = luggage

    def examine(self, needs: Needs, tell: Callable[[str], None]) -> None:
        """Examine every node of a cluster that was joined, and the GPUs of this machine for one of our own.

        Raises `UserError` when no node can run trials.
        """
        from automl.executors.tune import examination, nodes, preflight, shared_folder  # see the docstring

        if self.options.address is None:
            gpus = self.slot.gpus
            version, found = examination.devices() if gpus else ("", ["none needed"])
            if not found:
                raise UserError(examination.no_device(gpus, version))
            return
        if needs.storage is None and needs.folder:
            needs = replace(needs, mark=shared_folder.mark(Path(needs.folder)))
        order = nodes.Order(needs, self.sizes or (self.held,))
        assert self._slots is not None
        self._slots.roster = preflight.Roster(preflight.RayCluster(), order, tell)
        self._slots.roster.settle()
        self._slots.need(0.0)

    def check(self) -> None:
        """Start or join the cluster. Raises `UserError` when no node has what a trial asks for."""
        from automl.executors.tune import cluster, slots  # see the module's docstring

        self._connected = True
        cluster.connect(self.options.address, self._luggage)
        share = slots.Share(self.slot.cpus, self.slot.gpus, self.options.resources)
        joined = self.options.address is not None
        self._slots = slots.Slots(
            share, self.options.trials_at_once, grows=joined, sizes=self.sizes, follow=self._follow
        )
        try:
            self._slots.need(self.options.nodes_within)
        except BaseException:
            self.close()
            raise

        self.place = cluster.name() if joined else THIS_HOST

    def _follow(self, slots: Slots) -> None:
        self.trials_at_once, self.slots_held, self.rooms = max(1, slots.count), slots.held, slots.rooms

    def run(self, source: JobSource) -> None:
        """Run jobs from `source` until it is finished."""
        from automl.executors.tune import cluster  # see the module's docstring

        if self._slots is None:
            self.check()
        assert self._slots is not None
        self._folder = self._folder or tempfile.mkdtemp(prefix=f"automl-ray-{os.getpid()}-")
        cluster.run(
            source,
            self._slots,
            waits=not self.options.answers_late,
            folder=self._folder,
            address=self.options.address,
            turn=self.turn,
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
