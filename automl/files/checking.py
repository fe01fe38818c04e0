"""Whether a storage can be used from here: a nonce is written, read back and removed."""

from __future__ import annotations

import secrets
import time

from automl.contracts import RunError, UserError
from automl.files.folder import Folder
from automl.files.urls import named_url


def check(url: str, of: str) -> float:
    """Seconds that a nonce took. Raises `UserError` naming `of`, the option or variable that gives `url`."""
    try:
        return probe(url)
    except UserError as error:
        raise UserError(f"{of}: {error}") from None


def probe(url: str) -> float:
    """Seconds to write, read and delete a nonce in the storage `url`.

    Raises `UserError` when that cannot be done from this node.
    """
    began = time.monotonic()
    folder, name = Folder(named_url(url, "a storage")), f"probe-{secrets.token_hex(8)}"
    nonce = secrets.token_bytes(64)
    try:
        folder.write(name, nonce)
        found = folder.read(name)
        folder.remove(name)
    except RunError as error:
        raise UserError(f"a storage must take, give back and delete a file, but {error}") from None
    except FileNotFoundError as error:
        raise UserError(f"a storage must be there, but {folder.shown} is not: {error}") from None
    if found != nonce:
        raise UserError(
            f"a storage must give back what it took, but {folder.shown} gave "
            f"{'nothing' if found is None else 'something else'}; name one without a cache that lies"
        )
    return time.monotonic() - began
