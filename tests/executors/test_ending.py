"""The classes of errors: what may pass, what is out of memory, what is not finite, what is a bug."""

from __future__ import annotations

import errno

import pytest

from automl.contracts import Ending, RunError, TransientError, UserError
from automl.executors.ending import classify


class OutOfMemoryError(RuntimeError):
    """As a GPU library calls it."""


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (ConnectionResetError("peer"), Ending.TRANSIENT),
        (TimeoutError(), Ending.TRANSIENT),
        (TransientError("no licence is free"), Ending.TRANSIENT),
        (OSError(errno.EIO, "input/output error"), Ending.TRANSIENT),
        (OSError(errno.ESTALE, "stale file handle"), Ending.TRANSIENT),
        (caused(RuntimeError("loading failed"), ConnectionError("refused")), Ending.TRANSIENT),
        (FileNotFoundError(errno.ENOENT, "no such file"), Ending.EXCEPTION),
        (PermissionError(errno.EACCES, "denied"), Ending.EXCEPTION),
        (MemoryError(), Ending.OOM),
        (OutOfMemoryError("CUDA out of memory"), Ending.OOM),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), Ending.OOM),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), Ending.OOM),
        (caused(ValueError("fit failed"), MemoryError()), Ending.OOM),
        (RunError("a metric must be a finite number, but got loss=nan"), Ending.NAN),
        (ValueError("loss must be finite, but got inf"), Ending.NAN),
        (ValueError("Input X contains NaN."), Ending.NAN),
        (FloatingPointError("overflow"), Ending.NAN),
        (NameError("name 'x' is not defined"), Ending.BUG),
        (TypeError("f() takes 1 argument"), Ending.BUG),
        (ModuleNotFoundError("No module named 'x'"), Ending.BUG),
        (UserError("wrong"), Ending.BUG),
        (ZeroDivisionError("no such luck"), Ending.EXCEPTION),
        (SystemExit(3), Ending.EXCEPTION),
        (ValueError("information is missing"), Ending.EXCEPTION),
    ],
)
def test_errors_have_a_class(error: BaseException, ending: Ending) -> None:
    assert classify(error) is ending


def test_a_circle_of_causes_has_an_end() -> None:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert classify(one) is Ending.EXCEPTION


def test_an_error_without_a_text_has_a_class_too() -> None:
    class MuteError(RuntimeError):
        def __str__(self) -> str:
            raise RuntimeError("not a word")

    assert classify(MuteError()) is Ending.EXCEPTION
