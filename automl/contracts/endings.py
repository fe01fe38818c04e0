"""How attempts of trials end, and errors that say it. Use them from `automl.contracts`."""

from __future__ import annotations

from enum import StrEnum


class Ending(StrEnum):
    """The class of an attempt's end. What may pass is tried again; EXCEPTION and BUG come again."""

    COMPLETE = "complete"
    PRUNED = "pruned"  # by a pruner, for a constraint, or cut off by the budget or a limit
    TRANSIENT = "transient"  # a connection, a file system, a licence: it may pass
    OOM = "oom"  # out of memory
    LOST = "lost"  # its worker died
    PREEMPTED = "preempted"  # its machine or its driver was taken away
    DEADLINE = "deadline"
    NAN = "nan"  # a value that is not finite
    EXCEPTION = "exception"
    BUG = "bug"  # code that cannot work: a missing name, a wrong call


class TransientError(Exception):
    """For objectives to raise: what failed may work when it is tried again."""
