"""What is told when a tracking server answers with an error, or with what no such server says.

A proxy, a full disk or another program behind the address can answer anything, and MLflow's client then
raises whatever it stumbles over.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from automl.contracts import RunError, UserError, storable
from automl.masking import mask

if TYPE_CHECKING:
    from automl.ledger.store import Store

SHOWN: Final = 500  # characters of an error, which may hold the whole answer


def in_words(error: Exception) -> str:
    """An error of MLflow's client in one line of at most a few hundred characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return storable(text, SHOWN)


@contextmanager
def told(store: Store, what: str) -> Iterator[None]:
    """Turn what a tracking server's answers raise into a `RunError`. `what` could not be done, in words.

    Without a server, an error that is not told already is one of this program, and stays as it is.
    """
    try:
        yield
    except (RunError, UserError):
        raise
    except Exception as error:  # any type: see above
        if not store.tracking_uri.startswith("http"):
            raise
        raise RunError(
            f"MLflow at {mask(store.tracking_uri)} must answer as a tracking server does to {what}, but: "
            f"{in_words(error)}; everything is safe in the ledger; see the server's log and what is between, "
            "then run the same command again"
        ) from error
