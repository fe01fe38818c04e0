"""The class of an error that has ended an attempt."""

from __future__ import annotations

import errno
import re

from automl.contracts import Ending, TransientError, UserError, causes
from automl.executors.answers import described
from automl.executors.ranks import LostRankError
from automl.ranks.group import LostGroupError

PASSING = (ConnectionError, TimeoutError, InterruptedError, BlockingIOError, TransientError)
PASSING_CODES = {
    errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.EIO, errno.ENETDOWN, errno.ENETUNREACH, errno.ENETRESET,
    errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENOBUFS, errno.ENOLCK, errno.EMFILE, errno.ENFILE,
    errno.ESTALE, errno.ETIMEDOUT, errno.ETXTBSY, errno.EDQUOT, errno.ENOSPC,
}  # fmt: skip
BUGS = (NameError, AttributeError, ImportError, SyntaxError, TypeError, NotImplementedError, UserError)
MEMORY = re.compile(r"out of memory|can(no|')t allocate memory|unable to allocate|bad_alloc", re.IGNORECASE)
NOT_FINITE = re.compile(r"must be (a )?finite|not finite|\b(nan|inf(inite|inity)?)\b", re.IGNORECASE)


def classify(error: BaseException) -> Ending:
    """The class of `error`, or that of what it says it was caused by."""
    if isinstance(error, LostRankError):
        return error.ending
    for cause in causes(error):
        if isinstance(cause, LostGroupError):
            return Ending.LOST
        if _is_memory(cause):
            return Ending.OOM
        if isinstance(cause, PASSING) or (isinstance(cause, OSError) and cause.errno in PASSING_CODES):
            return Ending.TRANSIENT
    if isinstance(error, BUGS):
        return Ending.BUG
    if isinstance(error, FloatingPointError) or NOT_FINITE.search(described(error)):
        return Ending.NAN
    return Ending.EXCEPTION


def _is_memory(error: BaseException) -> bool:
    """Libraries have errors of their own for it: torch a `RuntimeError`, with a name of its own on a GPU."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
        or (isinstance(error, RuntimeError) and MEMORY.search(described(error)) is not None)
    )
