"""A storage on a disk that fails where a test says: an error, a truncated object, a slow answer."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pyarrow import fs


@dataclass
class Faults:
    """What happens at the nth call of a kind (`read`, `write`, `list`, `delete`); calls are counted."""

    errors: dict[tuple[str, int], Exception] = field(default_factory=dict)
    always: dict[str, Exception] = field(default_factory=dict)
    truncated: set[int] = field(default_factory=set)  # numbers of reads whose end is missing
    flipped: set[int] = field(default_factory=set)  # numbers of reads with a wrong byte
    slow: float = 0.0  # seconds of each call
    calls: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, kind: str) -> int:
        with self.lock:
            number = self.calls[kind] = self.calls.get(kind, 0) + 1
        time.sleep(self.slow)
        error = self.errors.get((kind, number)) or self.always.get(kind)
        if error is not None:
            raise error
        return number


class FaultySystem(fs.FileSystemHandler):
    """The local disk, through a handler of Arrow's in Python."""

    def __init__(self, faults: Faults) -> None:
        self.faults, self.real = faults, fs.LocalFileSystem()

    def get_type_name(self) -> str:
        return "faulty"

    def normalize_path(self, path: str) -> str:
        return path

    def get_file_info(self, paths: list[str]) -> Any:
        return self.real.get_file_info(paths)

    def get_file_info_selector(self, selector: Any) -> Any:
        self.faults.call("list")
        return self.real.get_file_info(selector)

    def create_dir(self, path: str, recursive: bool) -> None:
        self.real.create_dir(path, recursive=recursive)

    def delete_dir(self, path: str) -> None:
        self.faults.call("delete")
        self.real.delete_dir(path)

    def delete_dir_contents(self, path: str, missing_dir_ok: bool) -> None:
        raise NotImplementedError

    def delete_root_dir_contents(self) -> None:
        raise NotImplementedError

    def delete_file(self, path: str) -> None:
        self.faults.call("delete")
        self.real.delete_file(path)

    def move(self, src: str, dest: str) -> None:
        self.real.move(src, dest)

    def copy_file(self, src: str, dest: str) -> None:
        raise NotImplementedError

    def open_input_stream(self, path: str) -> Any:
        number = self.faults.call("read")
        with self.real.open_input_stream(path) as stream:
            data = stream.read()
        if number in self.faults.truncated:
            data = data[: len(data) // 2]
        if number in self.faults.flipped:
            data = bytes([data[0] ^ 1]) + data[1:]
        import pyarrow as pa

        return pa.PythonFile(io.BytesIO(data), mode="r")

    open_input_file = open_input_stream

    def open_output_stream(self, path: str, metadata: Any) -> Any:
        self.faults.call("write")
        return self.real.open_output_stream(path, metadata=metadata)

    def open_append_stream(self, path: str, metadata: Any) -> Any:
        raise NotImplementedError


def faulty(faults: Faults) -> Callable[[str], tuple[fs.FileSystem, str]]:
    """What to put in the place of `automl.files.opening.opened`."""
    system = fs.PyFileSystem(FaultySystem(faults))
    return lambda url: (system, url.removeprefix("file://").partition("?")[0])
