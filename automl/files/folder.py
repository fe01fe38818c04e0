"""A folder of a storage: files written, read, listed and removed by name, each with several tries."""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from automl.contracts import StoredFile
from automl.files import opening
from automl.files.failing import DamagedError, LostFileError, patiently
from automl.files.urls import shown

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

CHUNK: Final = 1 << 20  # bytes
SMALL: Final = 1 << 24  # bytes of a file that is read as a whole


class Entry(NamedTuple):
    """A file of a storage: its name in the folder, its bytes, and when it was written (ns), where known."""

    name: str
    size: int
    changed: int | None


class Folder:
    """The folder at `url`. It needs not be there before something is written.

    All methods raise `StorageError` when the storage stays away, and `UserError` when it cannot be opened.
    """

    def __init__(self, url: str) -> None:
        self.url, self.shown = url, shown(url)

    def write(self, name: str, data: bytes) -> None:
        """Write a small file whole, in place of an earlier one."""

        def do() -> None:
            with self._written(name) as stream:
                stream.write(data)

        patiently(f"writing {name}", self.shown, do)

    def put(self, path: Path, name: str) -> None:
        """Write a copy of the local file `path`. Raises `OSError` of this machine's disk as it is."""

        def do() -> None:
            with path.open("rb") as file, self._written(name) as stream:
                shutil.copyfileobj(file, stream, CHUNK)
            found = self._info(name)
            if found is None or found.size != path.stat().st_size:
                size = "none" if found is None else f"{found.size} bytes"
                raise DamagedError(f"{path.stat().st_size} bytes were written, but {size} are there")

        path.open("rb").close()
        patiently(f"writing {name}", self.shown, do)

    def read(self, name: str) -> bytes | None:
        """A small file whole; None without one."""

        def do() -> bytes:
            with self._read(name) as stream:
                return bytes(stream.read(SMALL))

        try:
            return patiently(f"reading {name}", self.shown, do)
        except FileNotFoundError:
            return None

    def fetch(self, name: str, to: Path, expected: StoredFile | None = None) -> None:
        """Write a copy to the local path `to`, whole or not at all, once it is what is expected.

        Raises `LostFileError` for a file that is missing, or damaged in every try.
        """

        def do() -> None:
            with self._read(name) as stream, to.open("wb") as file:
                digest, size = hashlib.sha256(), 0
                while chunk := stream.read(CHUNK):
                    digest.update(chunk)
                    file.write(chunk)
                    size += len(chunk)
            found = StoredFile(digest.hexdigest(), size)
            if expected is not None and found != expected:
                what = f"{size} bytes of sha256 {found.sha256[:12]}"
                raise DamagedError(
                    f"{expected.size} bytes of {expected.sha256[:12]} were kept, but {what} came"
                )

        to.parent.mkdir(parents=True, exist_ok=True)
        try:
            patiently(f"reading {name}", self.shown, do)
        except BaseException as error:
            to.unlink(missing_ok=True)
            if isinstance(error, FileNotFoundError):
                raise LostFileError(f"{name} is not in {self.shown} any more") from None
            raise

    def entry(self, name: str) -> Entry | None:
        """What is known of a file; None without one."""
        found = patiently(f"looking for {name}", self.shown, lambda: self._info(name))
        return None if found is None else Entry(name, int(found.size or 0), found.mtime_ns)

    def entries(self) -> list[Entry]:
        """All files in it and below, sorted by name; none where nothing is."""
        from pyarrow import fs  # takes a tenth of a second to import

        system, base = opening.opened(self.url)

        def do() -> list[Entry]:
            found = system.get_file_info(fs.FileSelector(base, allow_not_found=True, recursive=True))
            files = [one for one in found if one.type == fs.FileType.File]
            names = [str(PurePosixPath(one.path).relative_to(base)) for one in files]
            return sorted(
                Entry(name, int(one.size or 0), one.mtime_ns) for name, one in zip(names, files, strict=True)
            )

        return patiently("listing", self.shown, do)

    def remove(self, name: str) -> None:
        """Remove a file; nothing without one."""
        system, base = opening.opened(self.url)
        try:
            patiently(f"removing {name}", self.shown, lambda: system.delete_file(f"{base}/{name}"))
        except FileNotFoundError:
            return

    def clear(self) -> None:
        """Remove the folder with all that is in it."""
        system, base = opening.opened(self.url)
        try:
            patiently("removing", self.shown, lambda: system.delete_dir(base))
        except FileNotFoundError:
            return

    def _info(self, name: str) -> Any:
        """What the file system says of a file; None without one."""
        from pyarrow import fs  # takes a tenth of a second to import

        system, base = opening.opened(self.url)
        found = system.get_file_info(f"{base}/{name}")
        return found if found.type == fs.FileType.File else None

    @contextmanager
    def _read(self, name: str) -> Iterator[Any]:
        system, base = opening.opened(self.url)
        with system.open_input_stream(f"{base}/{name}", compression=None) as stream:
            yield stream

    @contextmanager
    def _written(self, name: str) -> Iterator[Any]:
        """A stream into a file, which is there once the block has succeeded."""
        system, base = opening.opened(self.url)
        target = f"{base}/{name}"
        if not self.url.startswith("file:"):  # object stores show a file when it is closed
            with system.open_output_stream(target, compression=None) as stream:
                yield stream
            return
        temporary = f"{target}.{secrets.token_hex(4)}.tmp"
        _make_parent(system, target)
        try:
            with system.open_output_stream(temporary, compression=None) as stream:
                yield stream
            system.move(temporary, target)
        except BaseException:
            _remove_quietly(system, temporary)
            raise


def _make_parent(system: FileSystem, target: str) -> None:
    system.create_dir(str(PurePosixPath(target).parent), recursive=True)


def _remove_quietly(system: FileSystem, path: str) -> None:
    try:
        system.delete_file(path)
    except OSError:  # it was never there, or the disk is away
        return
