"""A Ray cluster: joined or started, what its nodes hold, and a run of jobs on it."""

from __future__ import annotations

import gc
import logging
import os
import signal
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import ray
from ray import tune
from ray._common.utils import get_default_ray_temp_dir
from ray._private import ray_constants
from ray.job_config import JobConfig

from automl.contracts import JobSource, Luggage, RunError, UserError
from automl.executors.tune import guard, health, joining, packing, token
from automl.executors.tune.actor import Actor, placed
from automl.executors.tune.bridge import Bridge, Gate
from automl.executors.tune.lanes import Lanes
from automl.executors.tune.slots import Slots
from automl.executors.tune.watchdog import Watchdog
from automl.moments import around

LEAVING = 10.0  # seconds that our own cluster has to end; a stopped raylet never answers
DEEPEST = 38  # bytes of its folder: with Ray's own names, the path of a socket has 107 at most
_guards: list[guard.Guard] = []  # over the cluster of our own
TURN = 30.0
RESTARTS = 3  # of our own cluster, in a row without the end of a trial


def connect(address: str | None, luggage: Luggage | None = None) -> None:
    """Join the cluster at `address`, or start our own here.

    Raises `UserError` when there is none, `RunError` when our own does not start.
    `luggage`: what travels to the nodes of a cluster that is joined; those of our own are this machine.
    """
    joining.check_address(address)
    if address is None or luggage is None:
        _connect(address, None)
        return
    with tempfile.TemporaryDirectory(prefix="automl-luggage-") as scratch:
        archive = Path(scratch) / "luggage.zip"
        packing.pack(luggage, archive, packing.working_folder())
        _connect(address, archive)


def _connect(address: str | None, archive: Path | None) -> None:
    for name in ("ray", "ray.tune"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    # without it all of Ray listens on 127.0.0.1, with it on every interface; there is no public way
    ray_constants.ENABLE_RAY_CLUSTER = address is not None
    _unguard()
    folder = _folder() if address is None else None
    if address is None:  # one that is joined belongs to others
        _guards.append(guard.Guard(folder or _usual_folder()))
    try:
        with around("process", "ray"), _own_sigterm(), token.read_again():
            ray.init(
                address=address or "local",
                include_dashboard=None if address else False,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                job_config=_job_config(),
                runtime_env=None if archive is None else {"working_dir": str(archive)},
                _temp_dir=folder,
            )
    except BaseException as error:  # interrupted, or a failure of Ray, with some of its processes begun
        leave()
        if not isinstance(error, Exception):
            raise
        if address is None:  # it may be for the machine: a busy one takes longer than Ray waits
            raise RunError(joining.not_started(error)) from error
        if isinstance(error, (ConnectionError, ValueError, RuntimeError)):
            raise UserError(joining.refusal(address, error)) from error
        raise
    for one in _guards:
        one.started(health.session())
    secret = Path.home() / ".ray" / "auth_token"
    if secret.exists() and secret.stat().st_uid == os.getuid():
        secret.chmod(0o600)  # Ray makes it readable to everybody on this machine


def _folder() -> str | None:
    """Where our own cluster keeps its files when the usual folder is too deep for its sockets; told.

    Raises `UserError` when there is no other.
    """
    usual = Path(os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp")
    length = len(os.fsencode(usual))
    if length <= DEEPEST:
        return None
    rule = f"RAY_TMPDIR or TMPDIR must have at most {DEEPEST} bytes, since Ray makes sockets in it, but"
    if not os.access("/tmp", os.W_OK):
        raise UserError(f"{rule} {usual} has {length}, and /tmp is not writable; set RAY_TMPDIR")
    own = f"/tmp/ray-{os.getuid()}"
    logging.getLogger(__name__).warning("%s %s has %d; Ray's files are in %s", rule, usual, length, own)
    return own


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Keep what SIGTERM does: Ray would have it print a trace and end the process."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _usual_folder() -> str:
    return str(get_default_ray_temp_dir())  # type: ignore[no-untyped-call]


class _Nothing(list[str]):
    """Stays empty."""

    def extend(self, added: Iterable[str]) -> None:
        """Ray's way to put the driver's working folder before every library on its workers."""


def _job_config() -> JobConfig:
    """Workers that import as the driver does: a file in the working folder hides no library."""
    config = JobConfig()
    config._py_driver_sys_path = _Nothing()  # there is no public way
    return config


def leave() -> None:
    """Leave the cluster; one of our own ends with all its workers, killed when it does not answer."""
    late = threading.Timer(LEAVING, health.kill_own)
    late.start()
    try:
        ray.shutdown()
    finally:
        late.cancel()
    _unguard()


def _unguard() -> None:
    while _guards:
        _guards.pop().leave()


def name() -> str:
    """The name of the cluster that was joined, the same for every driver of it."""
    return f"Ray cluster {health.session()}"


def run(
    source: JobSource, slots: Slots, *, waits: bool, folder: str, address: str | None, turn: float = TURN
) -> None:
    """Run jobs from `source` until it is finished. `folder`: where Tune may write.

    `waits`: whether a trial waits for the answer to each report. `turn`: seconds that a new lane is worth.
    A cluster of our own that dies is started again. Raises `RunError` when Tune fails, when our cluster dies
    without having ended a trial `RESTARTS` times in a row, or when that at `address` stays away.
    """
    if address is not None:
        token.tell_when_none(str(ray.get_runtime_context().gcs_address), source.tell)
    restarts = 0
    while True:
        lanes = Lanes(source, slots, turn)
        with slots.followed():
            own = _fit(Bridge(lanes, waits=waits), folder)
        if own.died is None:
            break
        restarts = 0 if lanes.ended else restarts + 1
        lanes.lose(f"Ray's {own.died} died", own.died_at)
        if restarts > RESTARTS:
            raise RunError(
                f"Ray's {own.died} died {restarts} times before a trial had ended; finished trials are "
                "safe; see `automl doctor` for memory and disk, then run again to continue"
            )
        source.tell(f"Ray's {own.died} died; its trials go back, and Ray is started again")
        connect(address)


def _fit(bridge: Bridge, folder: str) -> health.Watch:
    """One Tune run, to its end or until the cluster dies."""
    head, own = health.Head(bridge.lanes.source.tell), health.Watch()
    gc.freeze()  # what is there already, such as all of torch, need not be looked at below
    tuner = tune.Tuner(
        tune.with_resources(Actor, placed),
        tune_config=tune.TuneConfig(
            search_alg=bridge,
            scheduler=Gate(bridge),
            num_samples=-1,
            reuse_actors=False,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name="campaign",
            storage_path=folder,
            verbose=0,
            callbacks=[Watchdog(bridge, head, own)],
            failure_config=tune.FailureConfig(max_failures=0),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    )
    try:
        tuner.fit()
    except Exception as error:
        if bridge.failure is None and own.look() is None:
            raise RunError(
                f"Ray Tune failed: {error}; finished trials are safe, run again to continue"
            ) from error
    finally:
        head.leave()
        own.leave()
        bridge.lanes.forget()
        gc.collect()  # a handle of Ray's that is dropped while Ray shuts down ends the process
        gc.unfreeze()
    if bridge.failure is not None:
        raise bridge.failure
    return own
