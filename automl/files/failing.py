"""What may go wrong with a storage: it does not answer now, or it has lost a file."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

from automl.contracts import RunError, TransientError
from automl.masking import mask_text

T = TypeVar("T")
TRIES: Final = 6
FIRST_PAUSE: Final = 0.2  # seconds; each one is twice as long, half of it at random: 6 to 12 s in all
_REFUSED: Final = (
    "ACCESS_DENIED", "AccessDenied", "NO_SUCH_BUCKET", "NoSuchBucket", "INVALID_ACCESS_KEY_ID",
    "InvalidAccessKeyId", "SIGNATURE_DOES_NOT_MATCH", "SignatureDoesNotMatch", "Forbidden",
)  # fmt: skip
pause = time.sleep  # between two tries


class StorageError(RunError, TransientError):
    """A storage that does not do what it is asked, after several tries. It may work later."""


class LostFileError(RunError):
    """A file that is not there any more, or damaged, in every try."""


class DamagedError(Exception):
    """Bytes that are not those that were written: a try that failed."""


def patiently(what: str, where: str, do: Callable[[], T]) -> T:
    """What `do` gives, tried again with growing pauses after errors that may pass.

    `what` begins the message, such as "reading weights.pt"; `where`: what is shown of the address. Raises
    `FileNotFoundError` as it is, `LostFileError` for bytes that are damaged each time, else `StorageError`.
    """
    for number in range(TRIES):
        try:
            return do()
        except FileNotFoundError:
            raise
        except (OSError, DamagedError) as error:
            last: Exception = error
            if _is_refusal(error):
                break
        if number + 1 < TRIES:
            pause(FIRST_PAUSE * 2**number * random.uniform(0.5, 1))
    reason = mask_text(str(last)) or type(last).__name__
    if isinstance(last, DamagedError):
        raise LostFileError(f"{what} in {where} failed: {reason}, in {TRIES} tries") from None
    raise StorageError(
        f"{what} in {where} failed: {reason}; look whether it can be reached from here, and at the "
        "credentials in this node's environment"
    ) from None


def _is_refusal(error: Exception) -> bool:
    """Whether to ask again gives the same answer."""
    if isinstance(error, PermissionError | NotADirectoryError | IsADirectoryError):
        return True
    return any(word in str(error) for word in _REFUSED)
