"""Sends a message to one target, once, within a time. What fails is said in words without secrets."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from automl.config import Target
from automl.masking import MASK, mask_text
from automl.notifying.message import Message

CHILD: Final = Path(__file__).with_name("apprise_child.py")
START: Final = 30.0  # seconds that a check may take: importing Apprise on a busy machine
TYPES: Final = {"end": "success", "failure": "failure", "regression": "warning", "collapse": "warning"}
_SHOWN: Final = 300  # characters of what a program printed
_NO_APPRISE, _NO_ADDRESS = 3, 4  # exit statuses of the child


@dataclass(frozen=True)
class _Ended:
    """A process that has ended; `status` None: it was killed, since its time was over."""

    status: int | None
    output: str


def send(target: Target, message: Message, folder: Path, seconds: float) -> str:
    """Why `target` did not take `message`; "" when it did. `folder`: that of the study."""
    try:
        if target.url_from is not None:
            return _by_apprise(target.url_from, message, seconds)
        if target.file is not None:
            return _append(folder / target.file, message)
        return _by_command(target, message, folder, seconds)
    except OSError as error:
        return mask_text(f"{error.strerror or error}")


def fault(target: Target, folder: Path) -> str:
    """Why nothing can be sent to `target` on this machine; "" when something can, as far as one sees."""
    if target.url_from is not None:
        return _fault_of_address(target.url_from)
    if target.file is not None:
        return _fault_of_file(folder / target.file)
    program = (target.command or [""])[0]
    if _program(program, folder) is None:
        return f"the program {program!r} must be there and executable, but is not; install it, or correct it"
    return ""


# --- Apprise ------------------------------------------------------------------------------------


def _fault_of_address(name: str) -> str:
    url = os.environ.get(name, "").strip()
    if not url:
        return f"the environment variable {name} must hold an address, but is not set; export it"
    ended = _run_child({"url": url, "check": True}, START)
    if ended.status == _NO_APPRISE:
        return (
            "an address needs the package apprise, which is not installed; "
            "run: pip install 'automl-orchestrator[notify]'"
        )
    if ended.status == _NO_ADDRESS:
        return (
            f"the environment variable {name} must hold an address as Apprise writes it, but its value (not "
            "shown) is none; see the list of services at https://github.com/caronc/apprise"
        )
    return ""  # a slow machine is no fault of the address


def _by_apprise(name: str, message: Message, seconds: float) -> str:
    url = os.environ.get(name, "").strip()
    if not url:
        return f"the environment variable {name} is not set here"
    kind = TYPES.get(message.event, "info")
    given = {"url": url, "check": False, "title": message.title, "body": message.text(), "type": kind}
    ended = _run_child(given, seconds)
    if ended.status == 0:
        return ""
    if ended.status is None:
        return f"no answer within {seconds:.0f} s"
    if ended.status == _NO_APPRISE:
        return "the package apprise is not installed here: pip install 'automl-orchestrator[notify]'"
    if ended.status == _NO_ADDRESS:
        return f"the value of {name} is no address that Apprise knows"
    return without_address(url, ended.output.strip()) or "it was not taken"


def _run_child(given: dict[str, object], seconds: float) -> _Ended:
    return run([sys.executable, "-P", "-s", str(CHILD)], json.dumps(given), None, seconds)


def without_address(url: str, text: str) -> str:
    """`text` without `url` and without any part of it that may be a key."""
    # the host too: `slack://TokenA/TokenB` has a key there
    names = re.split(r"[/:@?#&=,]", url)
    found = {url, *names, *map(unquote, names)}
    for part in sorted((one for one in found if len(one) > 3), key=len, reverse=True):
        text = text.replace(part, MASK)
    return mask_text(text)


# --- commands -----------------------------------------------------------------------------------


def _by_command(target: Target, message: Message, folder: Path, seconds: float) -> str:
    words = target.command or [""]
    program = _program(words[0], folder)
    if program is None:
        return f"the program {words[0]!r} is not there, or not executable"
    body = json.dumps(message.to_json()) if target.format == "json" else f"{message.title}\n{message.text()}"
    ended = run([program, *words[1:]], f"{body}\n", folder, seconds)
    if ended.status == 0:
        return ""
    if ended.status is None:
        return f"it was killed: it must end within {seconds:.0f} s"
    said = mask_text(" ".join(ended.output.split())[-_SHOWN:])
    how = f"signal {-ended.status}" if ended.status < 0 else f"exit code {ended.status}"
    return f"{how}: {said}" if said else how


def _program(name: str, folder: Path) -> str | None:
    """The path of a program: found as a shell does, or from the folder of the study."""
    path = str(folder / name) if "/" in name else name
    return shutil.which(path)


def run(words: Sequence[str], given: str, folder: Path | None, seconds: float) -> _Ended:
    """Run a program to its end, with what it starts killed when its time is over.

    Its streams are files: nothing that it does not read, and nobody who keeps them open, holds this up.
    """
    with tempfile.TemporaryFile() as put_in, tempfile.TemporaryFile() as output:
        put_in.write(given.encode("utf-8", "backslashreplace"))
        put_in.seek(0)
        process = subprocess.Popen(
            words, stdin=put_in, stdout=output, stderr=subprocess.STDOUT, cwd=folder, start_new_session=True
        )
        try:
            status: int | None = process.wait(timeout=max(seconds, 0.1))
        except subprocess.TimeoutExpired:
            status = None
        finally:
            if process.returncode is None:  # with all that it has started
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        output.seek(0)
        return _Ended(status, output.read(1 << 16).decode(errors="replace"))


# --- files --------------------------------------------------------------------------------------


def _append(path: Path, message: Message) -> str:
    """Append one line, whole or not at all."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return "it is no ordinary file"
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        size = os.fstat(descriptor).st_size
        line = f"{json.dumps(message.to_json())}\n".encode()
        if size and os.pread(descriptor, 1, size - 1) != b"\n":  # what another program left half-written
            line = b"\n" + line
        try:
            if os.write(descriptor, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
        return ""
    finally:
        os.close(descriptor)


def _fault_of_file(path: Path) -> str:
    if path.exists():
        fine = path.is_file() and os.access(path, os.W_OK)
    else:
        fine = path.parent.is_dir() and os.access(path.parent, os.W_OK | os.X_OK)
    if fine:
        return ""
    return (
        f"the file {str(path)!r} must be one that can be written, but is not; make its folder, or correct it"
    )
