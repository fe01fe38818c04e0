"""Who wrote an exported winner: a store signs its exports with a key that only its users can read.

HMAC-SHA256 (RFC 2104) of the file's checksum, which covers all of its values.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from automl.contracts import UserError
from automl.export.winner import Signature, Winner

if TYPE_CHECKING:
    from automl.ledger.store import Store

NAME = "signing.key"
_LEAST = 16  # bytes of a key


class Maker(StrEnum):
    """Who made a file, as far as a store can tell."""

    THIS_STORE = "this store"
    ANOTHER = "another store"
    NOBODY = "nobody"
    FORGED = "somebody without the key"


def sign(winner: Winner, store: Store) -> Winner:
    """The winner with its checksum and the signature of `store`, whose key is made at the first time."""
    sealed = winner.sealed()
    key, _, value = sign_text(sealed.checksum, store).partition(":")
    return sealed.model_copy(update={"signature": Signature(key=key, value=value)})


def sign_text(text: str, store: Store) -> str:
    """A signature of `text` by `store`: the name of its key, a colon, the value."""
    key = _key(store) or _new_key(store)
    return f"{_name(key)}:{_hmac(key, text)}"


def maker(winner: Winner, store: Store) -> Maker:
    """Who signed a winner, whose checksum is right."""
    signature = winner.signature
    return signer(winner.checksum, None if signature is None else f"{signature.key}:{signature.value}", store)


def signer(text: str, signature: str | None, store: Store) -> Maker:
    """Who made a `signature` of `text`."""
    if not signature:
        return Maker.NOBODY
    key, (name, _, value) = _key(store), signature.partition(":")
    if key is None or name != _name(key):
        return Maker.ANOTHER
    same = hmac.compare_digest(value.encode(), _hmac(key, text).encode())
    return Maker.THIS_STORE if same else Maker.FORGED


def _hmac(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _name(key: bytes) -> str:
    """A name of the key that does not tell it."""
    return hashlib.sha256(b"automl signing key " + key).hexdigest()[:16]


def _key(store: Store) -> bytes | None:
    try:
        key = bytes.fromhex((store.folder / NAME).read_text(encoding="ascii"))
    except FileNotFoundError:
        return None
    except ValueError:
        key = b""
    if len(key) < _LEAST:
        raise UserError(
            f"{store.folder / NAME}: must be {_LEAST} bytes or more in hexadecimal, but is not; restore it, "
            "or delete it: the next export makes a new key, and earlier exports count as another store's"
        )
    return key


def _new_key(store: Store) -> bytes:
    """Make the key of a store; the first of several processes makes it, the others take it."""
    path = store.folder / NAME
    draft = path.with_name(f"{NAME}.{secrets.token_hex(4)}")
    try:
        opened = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(opened, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        Path(draft).unlink()
    except OSError as error:
        raise UserError(
            f"{path}: must be a file that can be written, for the key that signs exports, but: "
            f"{error.strerror}; give this user the right to write"
        ) from error
    key = _key(store)
    if key is None:
        raise UserError(f"{path}: was deleted while it was made; run the command again")
    return key
