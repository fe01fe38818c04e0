"""Named moments in the life of a campaign, raised as audit events (PEP 578), at which tests kill processes.

An event costs less than a tenth of a microsecond while nothing listens, and only code inside a process can
listen (`sys.addaudithook`): no setting of a user can switch a fault on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

PREFIX: Final = "automl."
# each with what it is about: the method that writes, the suffix of a file, the program, the request
EVENTS: Final = (
    "transaction.begin",  # nothing is locked yet
    "transaction.commit",  # all is written, nothing committed
    "transaction.end",  # committed
    "file.begin",  # nothing is written
    "file.rename",  # written under a temporary name
    "file.end",
    "upload.begin",
    "upload.end",
    "process.begin",  # a process is about to be started
    "process.end",  # it is started
    "trial.begin",  # on the worker: its code and data are loaded
    "trial.end",  # on the worker: its outcome is not sent
    "request.end",  # MLflow's server has answered one of several requests
)


def moment(event: str, of: str) -> None:
    """Raise the audit event `automl.<event>`, one of `EVENTS`, about `of`."""
    sys.audit(PREFIX + event, of)


@contextmanager
def around(kind: str, of: str) -> Iterator[None]:
    """The moments `<kind>.begin` and `<kind>.end` around a block that succeeds."""
    moment(f"{kind}.begin", of)
    yield
    moment(f"{kind}.end", of)


def written_by(work: Callable[..., Any]) -> str:
    """The method whose transaction the local function `work` is, as `Trials.report`."""
    return work.__qualname__.partition(".<locals>")[0]
