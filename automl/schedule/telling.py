"""Tells the targets of a study of a planned start that came to nothing.

A message is owed from when its firing has failed: a daemon that was killed before it told is made up for by
the next one, which looks at the last firing of each study.
"""

from __future__ import annotations

import logging
from pathlib import Path

from automl.config import read_targets
from automl.contracts import RunError, UserError
from automl.ledger import FiringRow, Ledger
from automl.masking import mask_text
from automl.notifying import Targets, announce
from automl.notifying.composing import firing_failed

_log = logging.getLogger(__name__)


def tell_of_failed(ledger: Ledger, firing: FiringRow) -> None:
    """Tell of one failed firing; once, however often this is called."""
    try:
        targets = _targets(ledger, firing.study)
        announce(
            ledger, targets, [firing_failed(firing, firing.reason or "no reason was recorded")], _log.warning
        )
    except (RunError, UserError, OSError, ValueError) as error:
        _log.warning("nobody was told that a start of %s failed: %s", firing.study, mask_text(str(error)))


def tell_of_last(ledger: Ledger) -> None:
    """Tell of the last firing of each study, where it has failed."""
    for schedule in ledger.schedules():
        over = [one for one in ledger.firings(schedule.study) if one.state in ("done", "failed", "skipped")]
        if over and over[-1].state == "failed":
            tell_of_failed(ledger, over[-1])


def _targets(ledger: Ledger, study: str) -> Targets:
    """Those of the study's file, whatever else is wrong with it; else those of its latest campaign."""
    files = [Path(schedule.file) for schedule in ledger.schedules() if schedule.study == study]
    for file in files:
        try:
            return Targets.at(read_targets(file), file.parent)
        except UserError:
            continue  # the file is gone or broken, which may be what must be told
    latest = ledger.latest(study)
    return Targets.at([], Path()) if latest is None else Targets.recorded(latest.spec)
