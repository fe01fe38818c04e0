"""Recurring studies: cron expressions, a daemon, and one step for cron or systemd.

Each planned start (a slot) is a row, unique by study and time. One process claims it, holds it with a
lease and ends it. The rules:

* Two campaigns of one study never overlap: a slot waits while any process runs a campaign of its study.
* Of several slots that were missed or had to wait, only the newest starts; the others are skipped,
  and so is a slot that no process looked for within `catchup` seconds (at least 90).
* A firing is one campaign, fixed when that is created (or an interrupted one is adopted). When a process
  is killed, the next one takes the firing over and continues, or waits for, that campaign, never another.
* A firing fails when its campaign cannot be continued as it was begun, ends with an error, or is killed
  ten times in a row before it has ended a trial.
* Where clocks change, a fixed time of day fires once: `30 2 * * *` at 03:00 when 02:30 does not exist,
  and at the first 02:30 when there are two.
"""

from automl.schedule.registration import add, list_schedules, pause, remove, resume
from automl.schedule.serving import serve, tick
from automl.schedule.slots import next_slot, slots_between

__all__ = [
    "add",
    "list_schedules",
    "next_slot",
    "pause",
    "remove",
    "resume",
    "serve",
    "slots_between",
    "tick",
]
