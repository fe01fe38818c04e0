"""One way to keep secrets out of what is recorded, shown and exported: passwords, tokens, keys.

Texts are searched for the forms in which secrets are usually written, and for the values of environment
variables whose names say that they are secret. A form that nobody knows is not found.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, TypeVar, cast
from urllib.parse import unquote, urlsplit

T = TypeVar("T")
MASK: Final = "***"
HIDDEN: Final = "AUTOML_HIDDEN"  # the variable that names others whose values are secret, for children too
SHORTEST: Final = 6  # characters of a secret in an environment variable: shorter ones are words like "true"
_NAMES: Final = (
    r"passw(?:or)?d|passphrase|pwd|secret|token|credentials?|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|account[_-]?key|signing[_-]?key|signature|authorization"
)
_SECRET_NAME: Final = re.compile(rf"(?i){_NAMES}")
_SECRET_AT_END: Final = re.compile(rf"(?i)(?:{_NAMES})$")
_ENVIRONMENT: Final = re.compile(rf"(?i){_NAMES}|_key$|_auth$|_dsn$|_url$|_uri$|^automl_store$")
_HOST: Final = re.compile(r"[\d.]+|localhost")  # an address that is none's secret
_NUMBER: Final = re.compile(r"[-+]?\d{1,9}(?:\.\d+)?(?:e[-+]?\d+)?")
_PASSWORD: Final = re.compile(r"(?i)passw|passphrase|pwd|secret|://")
_OPEN: Final = frozenset({"PWD", "OLDPWD"})  # variables whose names only look secret
# every repetition is bounded: a hostile text must not take long
_VALUE: Final = r"""(?:"(?:[^"\\]|\\.){0,500}"|'(?:[^'\\]|\\.){0,500}'|[^\s,;&'"()\[\]{}]{1,1000})"""
_FORMS: Final = (
    # -----BEGIN … PRIVATE KEY-----
    re.compile(r"(?P<head>-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----).*?(?=-----END|\Z)", re.DOTALL),
    # scheme://user:password@host, whatever the password holds; not host:port
    re.compile(r"(?P<head>://[^\s/@:'\"]{0,100}:)(?!\d{1,5}(?:[/?#\s'\"]|$))[^\s'\"<>]{0,300}(?=@[\w.\[%-])"),
    # Authorization: Bearer abc
    re.compile(r"(?i)(?P<head>\b(?:bearer|basic)\s{1,3})(?=[^\s'\",;]{0,200}[\d=+/_.-])[\w.~+/=-]{8,1000}"),
    re.compile(
        r"(?i)(?P<head>\bauthorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:[a-z]{1,20}\s{1,3})?)[\w.~+/=-]{6,1000}"
    ),
    # password=…, api_key=…, also as a part of a longer key
    re.compile(rf"(?i)(?P<head>(?:{_NAMES})[\w-]{{0,40}}[\"']?\s{{0,3}}=\s{{0,3}}){_VALUE}"),
    # password: …, "token": "…"
    # (our own messages say `signature: must be …` of a key of a file)
    re.compile(
        rf"(?i)(?P<head>(?:{_NAMES})(?:[_-]?(?:key|value))?[\"']?\s{{0,3}}:\s{{0,3}})"
        rf"(?!must be )(?!\s){_VALUE}"
    ),
    # keys of clouds and hosts, JSON Web Tokens
    re.compile(
        r"(?P<head>)(?:\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[\w-]{35,39}|\bgh[pousr]_\w{20,99}"
        r"|\bgithub_pat_\w{20,99}|\bglpat-[\w-]{20,99}|\bxox[abposr]-[\w-]{10,99}|\bsk-[\w-]{20,199}"
        r"|\bhf_\w{20,99}|\bnpm_\w{30,99}|\beyJ[\w-]{1,2000}\.eyJ[\w-]{1,2000}\.[\w-]{1,2000})"
    ),
)


def mask(value: T) -> T:
    """Plain JSON with secrets replaced: in texts, and texts under telling keys.

    >>> mask({"store": "postgresql://me:hunter2@db/automl", "token": "abc"})
    {'store': 'postgresql://me:***@db/automl', 'token': '***'}
    """
    return cast(T, _masked(value))


def mask_text(text: str) -> str:
    """`text` with secrets replaced."""
    if not text:
        return text
    for secret in _secrets(tuple(os.environ.items())):
        text = text.replace(secret, MASK)
    for form in _FORMS:
        text = form.sub(_replaced, text)
    return text


def hide(names: Iterable[str]) -> None:
    """Let the whole values of these variables be secret from now on, in this process and those it starts."""
    known = os.environ.get(HIDDEN, "").split()
    if new := [name for name in dict.fromkeys(names) if name not in known]:
        os.environ[HIDDEN] = " ".join([*known, *new])


def is_secret_name(name: str) -> bool:
    """Whether what is called so is a secret: `db_password`, not `token_mixer`."""
    return _SECRET_AT_END.search(name) is not None


class MaskingFilter(logging.Filter):
    """Masks the messages of a logger or handler."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Write the message out and mask it; every record passes."""
        record.msg, record.args = mask_text(record.getMessage()), None
        return True


def _masked(value: object) -> object:
    if isinstance(value, Mapping):
        return {
            key: MASK if isinstance(entry, str) and _SECRET_NAME.search(str(key)) else _masked(entry)
            for key, entry in value.items()
        }
    if isinstance(value, list | tuple):
        return [_masked(entry) for entry in value]
    return mask_text(value) if isinstance(value, str) else value


def _replaced(found: re.Match[str]) -> str:
    value = found[0][len(found["head"]) :]
    if _NUMBER.fullmatch(value) and not _PASSWORD.search(found["head"]):  # max_tokens=512
        return found[0]
    quote = value[0] if value[:1] in ("'", '"') and value[-1:] == value[:1] else ""
    return f"{found['head']}{quote}{MASK}{quote}"


@lru_cache(maxsize=8)
def _secrets(environ: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """The secrets among the environment's values, the longest first."""
    found, hidden = set[str](), dict(environ).get(HIDDEN, "").split()
    for name, value in environ:
        if name in hidden:
            found |= _parts(value)
        if name in _OPEN or not _ENVIRONMENT.search(name):
            continue
        if "://" in value:
            password = _password(value)
            found |= {password, unquote(password)} if password else set()
        elif _SECRET_NAME.search(name) or name.lower().endswith(("_key", "_auth", "_dsn")):
            found |= set() if value.startswith(("/", "~")) else {value}  # a file that holds it
    return tuple(sorted((one for one in found if len(one) >= SHORTEST), key=len, reverse=True))


def _parts(address: str) -> set[str]:
    """An address, and all of its parts that look like keys: long ones with a digit, and its password."""
    words = re.split(r"[/:@?&=#,]", address)
    keys = {word for word in words if len(word) >= SHORTEST and re.search(r"\d", word)}
    credentials = address.partition("://")[2].rpartition("@")[0].partition("/")[0]
    found = {address, *keys, *(credentials.split(":") if credentials else ())}
    return {part for one in found if not _HOST.fullmatch(one) for part in (one, unquote(one))}


def _password(url: str) -> str:
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""
