"""What is wrong with MLflow, in the user's words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from automl.contracts import RunError, UserError, storable
from automl.ledger.errors import MLFLOW, explained, first_line
from automl.masking import mask_text

if TYPE_CHECKING:
    from automl.ledger.store import Store

LONGEST: Final = 300  # characters of a reason: servers answer with whole pages
_MARKUP: Final = re.compile(r"<[^<>]{0,1000}>")


class RecordingError(RunError):
    """MLflow does not have everything; the ledger has."""


def reason_of(error: BaseException) -> str:
    """One line that says why MLflow could not be read or written, without statements, markup and secrets."""
    cause = _of_database(error)
    if cause is not None:
        text = explained(cause, "its database", MLFLOW) or first_line(cause)
    elif isinstance(error, OSError) and error.strerror:
        text = f"{error.strerror}{f': {error.filename}' if error.filename else ''}"
    else:
        text = str(error).partition("[SQL:")[0] or type(error).__name__
    return storable(" ".join(_MARKUP.sub(" ", mask_text(text)).split()), LONGEST)


def _of_database(error: BaseException | None) -> sa.exc.DBAPIError | None:
    """The error of a database that is behind one of MLflow."""
    while error is not None and not isinstance(error, sa.exc.DBAPIError):
        error = error.__cause__ or error.__context__
    return error


@contextmanager
def told(store: Store, purpose: str) -> Iterator[None]:
    """Turn any error of MLflow into a `RunError`. `purpose`: what it was needed for, in words."""
    try:
        yield
    except (UserError, RunError):
        raise
    except Exception as error:
        raise RunError(
            f"MLflow at {store.shown_tracking} must answer to {purpose}, but: {reason_of(error)}; the ledger "
            "has everything; make MLflow available again, then run the same command"
        ) from error
