"""What happens to a campaign, as one JSON object a line, for programs.

`version` 1. Every object has `version`, `event`, `campaign` and `at` (POSIX seconds). New keys and events may
be added within a version.

* `start`: study, arms, seeds, metric, direction, budget, limits; `trials_before`: that had ended by then
* `trial`: id, search, arm, seed, kind (one of `ledger.rows.KINDS`), state, value, device_seconds, reason;
  dataset where that is another one than the study's
* `search`: id, arm, seed, reason, winner (a trial, or null)
* `end`: status (`finished`, `interrupted` or `failed`), reason, best (arm, seed, trial and value, or null)
"""

from __future__ import annotations

import json
import sys
import time
from typing import Final, TextIO

from automl.contracts import Json, TrialState
from automl.ledger import Ledger, SearchRow, TrialRow
from automl.masking import mask
from automl.watching.watched import Look, Watched

VERSION: Final = 1


class Events:
    """Writes the events of one campaign to `output`. Nobody who stops reading stops the campaign."""

    def __init__(self, output: TextIO) -> None:
        self._output, self._open = output, True
        self._watched: Watched | None = None
        self._campaign: str | None = None
        self._last: Look | None = None

    def look(self, ledger: Ledger, campaign: str) -> Look:
        """Write what has happened since the last look; before the first one nothing but the start."""
        if self._watched is None or self._campaign != campaign:
            self._watched, self._campaign = Watched(ledger, campaign), campaign
            self._last = look = self._watched.look()
            self._write("start", _start(look))
            return look
        self._last = look = self._watched.look()
        seeds = {search.id: search for search in ledger.searches(campaign)} if look.trials else {}
        for trial in look.trials:
            self._write("trial", _trial(trial, seeds.get(trial.search)), trial.finished_at)
        for search in look.searches:
            found: Json = {"id": search.id, "arm": search.arm, "seed": search.seed}
            found |= {"reason": search.reason, "winner": search.winner}
            self._write("search", found, search.finished_at)
        return look

    def end(self, status: str, reason: str | None) -> None:
        """Write the end. `status`: finished, interrupted or failed."""
        best = None if self._last is None else self._last.status.best
        found = None
        if best is not None:
            found = {"arm": best.arm, "seed": best.seed, "trial": best.best_trial, "value": best.best}
        self._write("end", {"status": status, "reason": reason, "best": found})

    def _write(self, event: str, values: Json, at: float | None = None) -> None:
        if not self._open:
            return
        moment = time.time() if at is None else at
        line = {"version": VERSION, "event": event, "campaign": self._campaign, "at": moment, **values}
        try:
            self._output.write(f"{json.dumps(mask(_finite(line)))}\n")
            self._output.flush()
        except (OSError, ValueError):  # whoever read it has gone
            self._open = False
            sys.stderr.write("nobody reads the events any more: none is written from now on\n")


def _start(look: Look) -> Json:
    spec, status = look.row.spec, look.status
    ended = len(look.trials)
    return {
        "study": look.row.study,
        "arms": list(status.arms) or list(spec.get("arms", ())),
        "seeds": spec.get("seeds"),
        "metric": status.metric,
        "direction": "maximize" if status.maximize else "minimize",
        "budget": spec.get("budget"),
        "limits": spec.get("limits"),
        "trials_before": ended,
    }


def _trial(trial: TrialRow, search: SearchRow | None) -> Json:
    complete = trial.state is TrialState.COMPLETE and trial.values
    return {
        "id": trial.id,
        "search": trial.search,
        "arm": None if search is None else search.arm,
        "seed": None if search is None else search.seed,
        "kind": trial.kind,
        "state": trial.state.value,
        "value": trial.values[0] if complete and trial.values else None,
        "device_seconds": trial.device_seconds,
        "reason": trial.reason,
        **({} if trial.dataset is None else {"dataset": trial.dataset}),
    }


def _finite(values: Json) -> Json:
    """Without NaN and infinities, which are no JSON."""
    return {
        key: None if isinstance(value, float) and (value != value or abs(value) == float("inf")) else value
        for key, value in values.items()
    }
