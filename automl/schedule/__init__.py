"""Studies that run again and again: cron expressions, a daemon, and one step for cron or systemd.

Each planned start (a slot) is a row, unique by study and time; one process takes it, keeps it with a
lease and ends it. The rules:

* A study never overlaps itself: its slot waits while a campaign of it is running, started by whomever.
* Of several slots that were missed or had to wait, only the newest starts; the others are skipped,
  and so is a slot that nobody looked for within `catchup` seconds (at least 90).
* A firing whose process was killed is taken up again: its campaign goes on where it was.
* Where clocks change, a fixed time of day fires once: `30 2 * * *` at 03:00 when 02:30 does not exist,
  and at the first 02:30 when there are two.
"""

from automl.schedule.schedules import (
    add,
    list_schedules,
    next_slot,
    pause,
    remove,
    resume,
    serve,
    slots_between,
    tick,
)

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
