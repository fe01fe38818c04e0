"""The thread that writes a campaign into MLflow, after its trials and from the ledger alone."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Final

from automl.contracts import RunAddress
from automl.recorder.telling import RecordingError, reason_of
from automl.recorder.wanted_run import Artifact
from automl.recorder.within import NoAnswerError, within

if TYPE_CHECKING:
    from automl.ledger.ledger import Ledger
    from automl.ledger.store import Store
    from automl.recorder.follower import Follower

POLL: Final = 0.3  # seconds between two looks at the ledger
LEAST: Final = 0.1  # seconds between two looks at least
LAST_LOOK: Final = 5.0  # seconds for recording trials while closing
LAST_SEARCHES: Final = 30.0  # seconds for recording ended searches while closing: 1000 take 15 s
LONGEST_PAUSE: Final = 5.0  # seconds between two tries while MLflow is away
WHILE: Final = 30.0  # seconds of recording what has piled up, after which it is seen whether that works
ERRORS: Final = 120.0  # seconds of errors at the end of a campaign
LONGEST: Final = 600.0  # seconds at the end of a campaign besides, while MLflow answers slowly or not at all
SICK: Final = 10.0  # seconds of errors after which they are told
BEGINNING: Final = 10.0  # seconds that the run of a trial that starts may take
AWAY: Final = 30.0  # seconds without runs for trials that start, after one could not be made; then doubled
LONGEST_AWAY: Final = 480.0  # seconds

_log = logging.getLogger(__name__)


class Recorder:
    """Keeps MLflow up to date with a campaign. Never blocks a trial; failed writes are repeated later.

    Nothing here waits longer than the times above, whatever MLflow does: a thread that gets no answer is
    left alone. `record`: `trials` for a run per trial, `searches` for a table of trials in the run of each
    search.
    """

    def __init__(self, store: Store, ledger: Ledger, campaign_id: str, *, record: str = "trials") -> None:
        self._store, self._ledger, self._campaign_id = store, ledger, campaign_id
        self._with_trials = record == "trials"
        self._follower: Follower | None = None
        self._attached: deque[tuple[str, Artifact]] = deque()
        self._lock = threading.Lock()  # one look at a time
        self._opening = threading.Lock()
        self._awake = threading.Event()
        self._closing = threading.Event()
        self._given_up = threading.Event()  # a look got no answer: nothing more is begun
        self._thread: threading.Thread | None = None
        self._away, self._away_until = AWAY, 0.0  # seconds, and until which monotonic second
        self._failing_since: float | None = None  # monotonic seconds
        self._failure_told = False
        self._told = False  # that MLflow does not have everything
        self._doubtful = False  # a request has failed, so that others may have been lost behind a good answer

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
        import automl.recorder.follower  # noqa: F401 - importing mlflow takes seconds, which are not its fault

        try:
            address = within(BEGINNING, partial(self._begin, trial))
        except Exception as error:  # any error of MLflow: the run is recorded later
            self._away_until = time.monotonic() + self._away
            self._away = min(2 * self._away, LONGEST_AWAY)
            _log.warning("code of %s cannot log to its run: %s", trial, reason_of(error))
            return None
        self._away = AWAY
        return address

    def _begin(self, trial: str) -> RunAddress:
        with self._lock if self._follower is None else nullcontext():  # the first look makes the parents
            follower = self._opened()
        return follower.begin(trial)

    def attach(self, identity: str, artifact: Artifact) -> None:
        """Add a file to those of a campaign, search or trial, once its run is recorded."""
        self._attached.append((identity, artifact))
        self._awake.set()

    def drain(self, timeout: float = ERRORS, longest: float = LONGEST) -> None:
        """Wait until MLflow has everything in the ledger, with the runs of finished searches ended.

        Raises `RecordingError` after `timeout` seconds of errors, or `longest` seconds in all.
        """
        began, pause = time.monotonic(), LEAST
        while True:
            try:
                began += self._catch_up(longest)
                within(began + longest - time.monotonic(), self._look_to_the_end)
                return
            except NoAnswerError as error:
                self._given_up.set()
                self._told = True
                raise RecordingError(self._explain(NoAnswerError(f"not within {longest:.0f} s"))) from error
            except Exception as error:  # any error of MLflow: it may be back in a moment
                if time.monotonic() + pause > began + timeout:
                    self._told = True
                    raise RecordingError(self._explain(error)) from error
                _log.info("recording is tried again: %s", error)
                self._doubtful = True
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _catch_up(self, longest: float) -> float:
        """Record what has piled up, as long as MLflow takes some of it; the seconds for which it did."""
        began = last = time.monotonic()
        left = self._ledger.due_trials(self._campaign_id)
        while left and not self._given_up.is_set():
            within(longest, self._look_for_a_while)
            before, left = left, self._ledger.due_trials(self._campaign_id)
            if left >= before:
                break
            last = time.monotonic()
        return last - began

    def _look_for_a_while(self) -> None:
        with self._lock:
            self._opened().catch_up(self._has_looked())

    def _has_looked(self) -> Callable[[], bool]:
        """Whether a look that begins now has lasted long enough: others want to look, too."""
        end = time.monotonic() + WHILE
        return lambda: self._given_up.is_set() or time.monotonic() > end

    def close(self) -> None:
        """Stop recording. Unfinished runs become SCHEDULED until the campaign is continued."""
        self._closing.set()
        self._awake.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            import automl.recorder.follower  # noqa: F401 - as in `begin`: its first look may not have begun

            thread.join(LAST_LOOK)
        follower, self._follower = self._follower, None
        if self._given_up.is_set() or (thread is not None and thread.is_alive()):
            self._given_up.set()
            if not self._told:
                _log.warning("%s", self._explain(NoAnswerError(f"no answer within {LAST_LOOK:.0f} s")))
            return  # its connections are in use
        if follower is None:
            return
        try:
            longest = LAST_LOOK if self._failing_since is not None else 2 * LAST_LOOK + LAST_SEARCHES
            within(longest, partial(self._suspend, follower))
            follower.close()
        except NoAnswerError:
            self._given_up.set()
            if not self._told:
                _log.warning("%s", self._explain(NoAnswerError(f"no answer within {longest:.0f} s")))
        except Exception as error:  # the ledger has everything, and a repair writes it
            if not self._told:
                _log.warning("%s", self._explain(error))
            follower.close()

    def _suspend(self, follower: Follower) -> None:
        deadline = time.monotonic() + LAST_LOOK
        follower.catch_up(lambda: time.monotonic() > deadline)
        late = time.monotonic() > deadline
        follower.suspend(lambda: time.monotonic() > deadline + LAST_SEARCHES)
        if late and (left := self._ledger.due_trials(self._campaign_id)):
            raise RecordingError(f"{left} of its trials were not recorded within {LAST_LOOK:.0f} s")

    def _run(self) -> None:
        pause = LEAST
        while True:  # once in any case, so that `close` finds a follower
            self._awake.clear()
            try:
                with self._lock:
                    self._look()
            except Exception as error:  # MLflow or the ledger is away: trials go on, this thread tries again
                _log.info("recording is tried again: %s", error)
                self._note_failure(error)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                self._failing_since, self._failure_told = None, False
                pause = LEAST
                self._awake.wait(POLL - LEAST)
            if self._closing.wait(pause):
                return

    def _note_failure(self, error: Exception) -> None:
        """Tell errors that stay, once each time."""
        now, self._doubtful = time.monotonic(), True
        self._failing_since = self._failing_since or now
        if now - self._failing_since > SICK and not self._failure_told and not self._closing.is_set():
            self._failure_told = True
            text = "MLflow at %s takes no records: %s; trials go on, it is tried again, nothing is lost"
            _log.warning(text, self._store.shown_tracking, reason_of(error))

    def _look_to_the_end(self) -> None:
        with self._lock:
            self._look(complete=True)
            if self._doubtful and not self._given_up.is_set():
                from automl.recorder.audit import repair  # imports mlflow, which is needed by now

                repair(self._store, self._ledger, self._campaign_id)
                self._doubtful = False

    def _look(self, *, complete: bool = False) -> None:
        if self._given_up.is_set():
            return
        follower = self._opened()
        enough = self._given_up.is_set if complete else self._has_looked()
        follower.catch_up(lambda: enough() or (self._closing.is_set() and not complete))
        while self._attached and not self._given_up.is_set():
            follower.upload(*self._attached[0])
            self._attached.popleft()
        if complete:  # last: what is complete is not looked at again
            follower.complete(self._given_up.is_set)

    def _opened(self) -> Follower:
        with self._opening:
            if self._follower is None:
                from automl.recorder.follower import Follower  # importing mlflow takes a second

                self._follower = Follower(
                    self._store, self._ledger, self._campaign_id, with_trials=self._with_trials
                )
            return self._follower

    def _explain(self, error: Exception) -> str:
        study = self._campaign_id.rpartition("-")[0]
        return (
            f"MLflow at {self._store.shown_tracking} does not have all of {self._campaign_id} yet: "
            f"{reason_of(error)}; everything is safe in the ledger; make MLflow available again, then run "
            f"`automl audit {study} --repair`"
        )
