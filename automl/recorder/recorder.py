"""The thread that writes a campaign into MLflow, after its trials and from the ledger alone."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

from automl.contracts import RunAddress, RunError
from automl.masking import mask
from automl.recorder.wanted_run import Artifact

if TYPE_CHECKING:
    from automl.ledger.ledger import Ledger
    from automl.ledger.store import Store
    from automl.recorder.follower import Follower

POLL: Final = 0.3  # seconds between two looks at the ledger
LEAST: Final = 0.1  # seconds between two looks at least
LAST_LOOK: Final = 5.0  # seconds for recording trials while closing
LAST_SEARCHES: Final = 30.0  # seconds for recording ended searches while closing: 1000 take 15 s
LONGEST_PAUSE: Final = 5.0  # seconds between two tries while MLflow is away
AWAY: Final = 30.0  # seconds without runs for trials that start, after one could not be made

_log = logging.getLogger(__name__)


class Recorder:
    """Keeps MLflow up to date with a campaign. Never blocks a trial; failed writes are repeated later.

    `record`: `trials` for a run per trial, `searches` for a table of trials in the run of each search.
    """

    def __init__(self, store: Store, ledger: Ledger, campaign_id: str, *, record: str = "trials") -> None:
        self._store, self._ledger, self._campaign_id = store, ledger, campaign_id
        self._with_trials = record == "trials"
        self._follower: Follower | None = None
        self._attached: deque[tuple[str, Artifact]] = deque()
        self._lock = threading.Lock()  # one look at a time
        self._awake = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._away_until = 0.0  # monotonic seconds

    def start(self) -> None:
        """Begin recording in the background."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
            self._thread.start()

    def begin(self, trial: str) -> RunAddress | None:
        """Make the run of a trial that has just started, for code of the trial that logs there itself.

        None when trials have no runs, or while MLflow is away, which delays no trial.
        """
        if not self._with_trials or time.monotonic() < self._away_until:
            return None
        try:
            with self._lock if self._follower is None else nullcontext():
                follower = self._opened()
            return follower.begin(trial)
        except Exception as error:  # any error of MLflow: the run is recorded later
            self._away_until = time.monotonic() + AWAY
            _log.warning("code of %s cannot log to its run: %s", trial, error)
            return None

    def attach(self, identity: str, path: Path, name: str) -> None:
        """Add a file to the artifacts of a campaign, search or trial, once its run is recorded."""
        self._attached.append((identity, Artifact(name, path=path)))
        self._awake.set()

    def drain(self, timeout: float = 120.0) -> None:
        """Wait until MLflow has everything in the ledger, with the runs of finished searches ended.

        Raises `RunError` when MLflow is still away after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        pause = LEAST
        while True:
            try:
                with self._lock:
                    self._look(complete=True)
                return
            except Exception as error:  # any error of MLflow: it may be back in a moment
                if time.monotonic() + pause > deadline:
                    raise RunError(self._explain(error)) from error
                _log.info("recording is tried again: %s", error)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def close(self) -> None:
        """Stop recording. Unfinished runs become SCHEDULED until the campaign is continued."""
        self._closing.set()
        self._awake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._follower is None:
            return
        deadline = time.monotonic() + LAST_LOOK
        try:
            self._follower.catch_up(lambda: time.monotonic() > deadline)
            self._follower.suspend(lambda: time.monotonic() > deadline + LAST_SEARCHES)
        except Exception as error:  # the ledger has everything, and a repair writes it
            _log.warning("%s", self._explain(error))
        finally:
            self._follower.close()
            self._follower = None

    def _run(self) -> None:
        pause = LEAST
        while True:  # once in any case, so that `close` finds a follower
            self._awake.clear()
            try:
                with self._lock:
                    self._look()
            except Exception as error:  # MLflow or the ledger is away: trials go on, this thread tries again
                _log.info("recording is tried again: %s", error)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                pause = LEAST
                self._awake.wait(POLL - LEAST)
            if self._closing.wait(pause):
                return

    def _look(self, *, complete: bool = False) -> None:
        follower = self._opened()
        follower.catch_up(lambda: self._closing.is_set() and not complete)
        while self._attached:
            follower.upload(*self._attached[0])
            self._attached.popleft()
        if complete:  # last: what is complete is not looked at again
            follower.complete()

    def _opened(self) -> Follower:
        if self._follower is None:
            from automl.recorder.follower import Follower  # importing mlflow takes a second

            self._follower = Follower(
                self._store, self._ledger, self._campaign_id, with_trials=self._with_trials
            )
        return self._follower

    def _explain(self, error: Exception) -> str:
        study = self._campaign_id.rpartition("-")[0]
        return (
            f"MLflow at {mask(self._store.tracking_uri)} does not have all of {self._campaign_id} yet: "
            f"{error}; everything is safe in the ledger; make MLflow available again, then run "
            f"`automl audit {study} --repair`"
        )
