"""What lies in a folder of images: found in one walk, which every link is followed in once."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from automl.contracts import UserError
from automl.data.reading.pictures import endings
from automl.data.reading.wording import shown

# what systems and programs leave behind, besides names that begin with a dot
_SYSTEM = {
    "__macosx", "__pycache__", "$recycle.bin", "@eadir", "desktop.ini", "ehthumbs.db", "lost+found",
    "system volume information", "thumbs.db",
}  # fmt: skip


@dataclass(frozen=True, order=True)
class Found:
    """A file, or folder, as the names on the way to it from the folder that is read."""

    names: tuple[str, ...]

    @property
    def folders(self) -> tuple[str, ...]:
        """The names of the folders that it lies in."""
        return self.names[:-1]

    def __str__(self) -> str:
        return "/".join(self.names)


@dataclass
class Listing:
    """All that lies in a folder, each sorted: images, other files, folders, what is left out unseen.

    `hidden`: files and folders that a system or program left there, with the number of files inside.
    `links`: links to folders that are read elsewhere. `strange`: no files, such as sockets.
    """

    images: list[Found] = field(default_factory=list)
    others: list[Found] = field(default_factory=list)
    folders: list[Found] = field(default_factory=list)
    hidden: list[tuple[Found, int]] = field(default_factory=list)
    links: list[Found] = field(default_factory=list)
    strange: list[Found] = field(default_factory=list)


def walk(root: Path) -> Listing:
    """What lies in `root` and the folders below. Raises `UserError` for a folder that cannot be read."""
    listing = Listing()
    seen = {os.path.realpath(root)}
    pending: list[tuple[str, ...]] = [()]
    while pending:
        names = pending.pop()
        for entry in _entries(root.joinpath(*names)):
            found = Found((*names, entry.name))
            if entry.name.startswith(".") or entry.name.casefold() in _SYSTEM:
                listing.hidden.append((found, _files_in(entry)))
            elif entry.is_dir():
                if entry.is_symlink() and not _unseen(entry.path, seen):
                    listing.links.append(found)
                    continue
                listing.folders.append(found)
                pending.append(found.names)
            elif not entry.is_file() and not entry.is_symlink():
                listing.strange.append(found)
            elif f".{entry.name.rpartition('.')[2].lower()}" in endings():
                listing.images.append(found)
            else:
                listing.others.append(found)
    for group in (listing.images, listing.others, listing.folders, listing.links, listing.strange):
        group.sort()
    listing.hidden.sort()
    return listing


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise UserError(
            f"every folder of images must be readable, but {shown(folder)}: {error.strerror}; change its "
            "permissions or remove it"
        ) from error


def _files_in(entry: os.DirEntry[str]) -> int:
    if not entry.is_dir(follow_symlinks=False):
        return 1
    return sum(len(files) for _, _, files in os.walk(entry.path))


def _unseen(link: str, seen: set[str]) -> bool:
    """Whether the folder behind `link` lies neither in nor around one of `seen`, to which it is added."""
    target = os.path.realpath(link)
    if any(os.path.commonpath([target, other]) in (target, other) for other in seen):
        return False
    seen.add(target)
    return True
