"""The path on which Python looks for modules: the folder of a study comes after every library.

So no file beside a study takes the place of a module of Python's or of an installed package. This module
imports nothing that is not loaded when Python starts: it runs before libraries come first.
"""

import os
import sys

PYTHON_PATH = "PYTHONPATH"
_STUDIES = (".yaml", ".yml")


def put_last(folder: str) -> None:
    """Let modules in `folder` be found, after all others, wherever the folder was on the path."""
    if sys.path[-1:] == [folder] and sys.path.count(folder) == 1:  # asked for each trial
        return
    own = os.path.realpath(folder)
    sys.path[:] = [*(entry for entry in sys.path if os.path.realpath(entry) != own), folder]


def libraries_first(words: list[str]) -> None:
    """Put the folders of the study files among `words`, a command line, last: before anything is imported.

    Also for programs that this one starts, since workers get the folder by other means.
    """
    own = {os.path.dirname(os.path.realpath(word)) for word in words if word.endswith(_STUDIES)}  # noqa: PTH120
    named = os.environ.get(PYTHON_PATH, "").split(os.pathsep)
    kept = [entry for entry in named if entry and os.path.realpath(entry) not in own]
    if len(kept) < len(list(filter(None, named))):
        os.environ[PYTHON_PATH] = os.pathsep.join(kept)
    for folder in sorted(own):
        if any(os.path.realpath(entry) == folder for entry in sys.path):
            put_last(folder)
