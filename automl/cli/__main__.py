"""`python -m automl.cli` and the script `automl`: the program as a process of its own."""

from __future__ import annotations

import atexit
import os
import sys

from automl.cli import main


def program() -> None:
    """Run `main`, then leave without taking torch and Ray apart object by object, which takes seconds."""
    code: list[int] = [1]
    atexit.register(lambda: os._exit(_flushed(code[0])))  # registered first, so it runs last
    try:
        main()
        code[0] = 0
    except SystemExit as end:
        code[0] = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise


def _flushed(code: int) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has what it wanted
        return code
    except OSError as error:
        sys.stderr.write(f"the output must be written, but {error}; free the space and run again\n")
        return code or 1
    return code


if __name__ == "__main__":
    program()
