"""Ask and tell: a search whose trials run in a loop of the program's own."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self, Unpack, cast

from automl.api.campaign import Campaign
from automl.api.finding import open_ledger, store_of
from automl.api.keys import RunKeys, SearchKeys, SessionKeys, SpaceLike, check_names, run_keys
from automl.api.loop import EVALUATOR, EXECUTOR, EndedError, Loop, LoopOptions
from automl.api.minimizing import study_keys
from automl.api.running import notes, wanted
from automl.api.study import Study
from automl.api.trial import Trial
from automl.campaign import run_campaign
from automl.contracts import RunError, UserError
from automl.ledger import Store
from automl.progress import progress_for

LEAVES: Final = 60.0  # seconds that a session which nobody has closed may take to end with its process
_sessions: dict[tuple[str, str], Session] = {}  # those of this process that are open


def session(name: str, *, space: SpaceLike, **keys: Unpack[SessionKeys]) -> Session:
    """Open the search `name`, or go on with it, for a loop that evaluates by itself.

    The arguments are those of `automl.api.keys.SessionKeys`. It has one arm, since a loop of one's own is
    seldom ready to pay twice; with `baseline=True`, `ask` alternates with random search at equal cost. Raises
    `UserError` for mistakes and where the session is open in this process, `RunError` where another process
    has it open.
    """
    check_names(keys, SessionKeys)
    held = {key: keys[key] for key in ("cpus", "gpus") if key in keys}
    metrics = keys.get("metrics", {"value": "minimize"})
    task = {"metric": metrics} if isinstance(metrics, str) else {"metrics": metrics}
    search = cast(SearchKeys, {"baseline": False, "seeds": 1, **keys})
    study = study_keys(name, task, space, search)
    study["evaluator"] = {EVALUATOR: {"deadline": keys["deadline"]} if "deadline" in keys else {}}
    study["executor"] = {EXECUTOR: held}
    return Session(Study(trust=keys.get("trust", False), **study), run_keys(keys))


class Session:
    """An open search. Use it in a `with` statement, or `close` it: then another process can go on with it.

    Whatever ends it, finished trials are kept. Trials that were asked for and not told are offered again
    when it is opened again, with the same configuration, seed and folder; they pay for what they had used.
    All methods may be called from several threads of the process that opened it. While it is open, files
    that the process creates are for its user alone, as all that belongs to a store.
    """

    def __init__(self, study: Study, keys: RunKeys) -> None:
        self._study, self._keys = study, keys
        self._store: Store = store_of(keys.get("store"))
        options = study.checked.executor.options
        self._loop = Loop(LoopOptions(**options))
        self._loop.connected = True
        self._error: BaseException | None = None
        self._campaign: str | None = None
        self._open: dict[str, Trial] = {}
        self._place = (self._store.url, study.name)
        if self._place in _sessions:
            raise UserError(
                f"a session must be opened once, but {study.name} is open in this process; close that one"
            )
        _sessions[self._place] = self
        self._thread = threading.Thread(target=self._drive, name=f"session {study.name}", daemon=True)
        self._thread.start()
        try:
            self._loop.ready.wait()
        except BaseException:
            self._loop.leave()
            raise
        self._raise()

    def _drive(self) -> None:
        progress = progress_for(self._keys.get("progress", "auto"))
        try:
            for line in notes(self._study):
                progress.message(line)
            self._campaign = run_campaign(
                self._study.checked,
                store=self._store,
                wanted=wanted(self._keys),
                progress=progress,
                began=time.monotonic(),
                executor=self._loop,
            )
        except EndedError:
            pass  # it was closed
        except BaseException as error:
            self._error = error
        finally:
            _sessions.pop(self._place, None)
            self._loop.close()

    def ask(self) -> Trial | None:
        """The next trial; None when there is none: at the end of the budget, or before an open trial is told.

        Waits while the campaign is paused and until a trial may be tried again, where no trial is open.
        Raises `RunError` when the session was closed or its campaign has failed.
        """
        try:
            job = self._loop.ask()
        except EndedError:
            self._ended()
            return None
        except KeyboardInterrupt:  # the campaign goes on
            raise
        except BaseException:
            self._thread.join()
            self._raise()
            raise
        if job is None:
            return None
        trial = Trial(job, self._loop)
        self._open = {name: one for name, one in self._open.items() if one.is_open} | {trial.name: trial}
        return trial

    def __iter__(self) -> Iterator[Trial]:
        """Ask until there is no trial any more; each has to be told before the next one."""
        while (trial := self.ask()) is not None:
            yield trial
            if trial.is_open:
                raise UserError(
                    f"a trial must be told before the next one, but {trial.name} is open; call its tell, or "
                    "use ask for several at once"
                )

    @property
    def study(self) -> Study:
        """Its study, as a file would have it."""
        return self._study

    @property
    def open_trials(self) -> list[Trial]:
        """The trials that were asked for and are not told yet."""
        return [trial for trial in self._open.values() if trial.is_open]

    @property
    def finished(self) -> bool:
        """Whether the campaign has all it needs: `ask` will give nothing more."""
        return self._campaign is not None

    @property
    def campaign(self) -> Campaign:
        """Its campaign, to look at at any time."""
        with open_ledger(self._store) as (_, ledger):
            row = ledger.latest(self._study.name)
        if row is None:
            raise RunError(f"{self._study.name} has no campaign in {self._store.shown}; was it deleted?")
        return Campaign(self._campaign or row.id, self._store)

    def close(self) -> None:
        """End the session: what was told is kept, what is open is offered again. May be called twice."""
        self._loop.leave()
        self._thread.join()
        self._raise()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except BaseException as own:
            if error is None:
                raise
            if own is not error:
                error.add_note(f"the session failed too: {own}")

    def __repr__(self) -> str:
        state = "finished" if self.finished else "open" if self._thread.is_alive() else "closed"
        return f"<Session {self._study.name}: {state}, {len(self.open_trials)} open trials>"

    def _ended(self) -> None:
        """Wait for the end of the campaign. Raises `RunError` when it has not come to it."""
        self._thread.join()
        self._raise()
        if self._campaign is None:
            raise RunError(f"the session {self._study.name} is closed; open it again to go on")

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    def abandon(self) -> None:
        """Close it without a word, where the process ends."""
        self._loop.leave()
        self._thread.join(LEAVES)


def _close_all() -> None:
    for one in list(_sessions.values()):
        one.abandon()


atexit.register(_close_all)
