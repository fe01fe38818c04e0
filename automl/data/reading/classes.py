"""Which class and which part each image of a folder is of, by the names of the folders that it lies in.

The folders are classes. Where they, or those below each class, are called train, val and test, they are
parts: test is the official test part, val is joined with train.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from automl.contracts import UserError
from automl.data.reading.folders import Found, Listing
from automl.data.reading.pictures import endings
from automl.data.reading.wording import count, shown, some

Part = Literal["train", "validation", "test"]
PARTS: dict[str, Part] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class Labelled:
    """An image's file, its class, and its part."""

    file: Found
    label: str
    part: Part


@dataclass(frozen=True)
class Levels:
    """At which folder on the way to an image its class and its part (None: there are none) stand."""

    label: int
    part: int | None

    @property
    def depth(self) -> int:
        """How many folders tell class and part."""
        return 1 + (self.label if self.part is None else max(self.label, self.part))

    def of(self, found: Found) -> Labelled | None:
        """`found` with its class and part; None where it lies too high for both."""
        if len(found.folders) < self.depth:
            return None
        part: Part = "train" if self.part is None else PARTS[found.folders[self.part].casefold()]
        return Labelled(found, found.folders[self.label], part)

    def places(self, listing: Listing) -> Iterator[Found]:
        """The folders that stand for a class, and for a class of a part."""
        for folder in listing.folders:
            names = folder.names
            other = (
                self.part is not None and len(names) > self.part and names[self.part].casefold() not in PARTS
            )
            if len(names) in (self.label + 1, self.depth) and not other:
                yield folder


def labelled(root: Path, listing: Listing) -> tuple[list[Labelled], list[str]]:
    """Every image with a class, sorted by part, class and name; and what is to be told of the others.

    Raises `UserError` for folders that can be understood in two ways, or in none.
    """
    levels = _levels(root, listing)
    given = [(found, levels.of(found)) for found in listing.images]
    images = sorted(
        (one for _, one in given if one is not None),
        key=lambda one: (("train", "validation", "test").index(one.part), one.label, one.file),
    )
    notes: list[str] = []
    loose = [str(found) for found, one in given if one is None]
    if loose:
        notes.append(f"{count(len(loose), 'image')} in no folder of a class: left out ({some(loose)})")
    notes += _without_images(root, levels, listing)
    _check(root, images, loose)
    return images, notes + _told(images, levels) + _left_out(listing)


def _levels(root: Path, listing: Listing) -> Levels:
    """Whether parts are the upper folders, those below each class, or there are none."""
    ways = [found.folders for found in listing.images if found.folders]
    tops = {way[0] for way in ways}
    parts = {PARTS.get(top.casefold()) for top in tops}
    split = "train" in parts and len(parts & {"validation", "test"}) > 0
    if split and None in parts:
        other = sorted(top for top in tops if top.casefold() not in PARTS)
        raise UserError(
            f"the folders of {shown(root)} must be parts (train, val, test) or classes, but beside parts "
            f"there are {some(other)} with images; move or rename them"
        )
    if None not in parts and parts:
        if "train" not in parts:
            raise UserError(
                f"beside {some(sorted(tops))} there must be a folder train, but {shown(root)} has none; "
                "rename the folder to learn from to train, or all of them if they are classes"
            )
        if any(len(way) > 1 for way in ways if PARTS[way[0].casefold()] == "train"):
            return Levels(label=1, part=0)
        if split:
            raise UserError(
                f"a part must have a folder for each class, but in {shown(root)} the images of "
                f"{some(sorted(tops))} lie in no further folder; arrange them as train/<class>/<image>.png"
            )
    below = {PARTS.get(way[1].casefold()) if len(way) > 1 else None for way in ways}
    if "train" in below and len(below) > 1 and None not in below:
        return Levels(label=0, part=1)
    return Levels(label=0, part=None)


def _without_images(root: Path, levels: Levels, listing: Listing) -> list[str]:
    """Notes of folders of classes that are empty. Raises `UserError` for one that holds other files only."""
    held = Counter(found.names[:depth] for found in listing.images for depth in range(1, len(found.names)))
    empty = []
    for place in levels.places(listing):
        if held[place.names]:
            continue
        files = [one for one in listing.others if one.names[: len(place.names)] == place.names]
        if files:
            found = sorted({Path(one.names[-1]).suffix.lower() or "no ending" for one in files})
            raise UserError(
                f"a folder of a class must hold images, but {shown(root / str(place))} holds only "
                f"{count(len(files), 'file')} of other kinds ({some(found)}); convert them, or "
                f"remove the folder. Endings that are read: {', '.join(sorted(endings()))}"
            )
        empty.append(str(place))
    return [f"{count(len(empty), 'folder')} without any image: no class ({some(empty)})"] if empty else []


def _check(root: Path, images: list[Labelled], loose: list[str]) -> None:
    """Raise `UserError` unless there are two classes to learn, with names that are text."""
    labels = sorted({one.label for one in images if one.part != "test"})
    if len(labels) < 2:
        has = f"{len(labels)}{f' ({shown(labels[0])})' if labels else ''}"
        inside = {one.file.folders[1] for one in images if len(one.file.folders) > 1}
        advice = f"arrange it as {shown(root.name)}/<class>/<image>.png"
        if len(labels) == 1 and len(inside) > 1:
            advice = f"name the folder inside, {shown(root / labels[0])}, if its folders are the classes"
        lying = f", and {count(len(loose), 'image')} in no folder of a class" if loose else ""
        raise UserError(
            f"a folder of images must have a subfolder of images for each of at least two classes, but "
            f"{shown(root)} has {has}{lying}; {advice}"
        )
    wrong = [label for label in labels if label != label.encode("utf-8", "replace").decode()]
    if wrong:
        raise UserError(
            f"the name of a class must be text in UTF-8, but in {shown(root)} there is {some(wrong)}; "
            "rename it"
        )


def _told(images: list[Labelled], levels: Levels) -> list[str]:
    """What the folders were taken for."""
    notes = []
    sizes = Counter(one.part for one in images)
    if levels.part is not None:
        names = some(sorted({one.file.folders[levels.part] for one in images}), len(PARTS))
        text = f"the folders {names} are taken as parts: {count(sizes['train'], 'image')} of train"
        if sizes["validation"]:
            text += f" joined with {sizes['validation']:,} of val (task.split.validation draws what selects)"
        text += f", {sizes['test']:,} of test, sealed" if sizes["test"] else ", none of test"
        notes.append(text)
    learnt = {one.label for one in images if one.part != "test"}
    tested = {one.label for one in images if one.part == "test"}
    if tested and learnt - tested:
        notes.append(f"the test part has no image of {some(sorted(learnt - tested))}")
    plain = Counter(label.strip().casefold() for label in learnt | tested)
    alike = sorted(label for label in learnt | tested if plain[label.strip().casefold()] > 1)
    if alike:
        notes.append(f"classes whose names differ in case or blanks alone: {some([repr(a) for a in alike])}")
    deeper = Counter("/".join(one.file.folders) for one in images if len(one.file.folders) > levels.depth)
    if deeper:
        notes.append(
            f"{count(deeper.total(), 'image')} in folders below a class are taken as images of that class "
            f"({some(sorted(deeper))})"
        )
    return notes


def _left_out(listing: Listing) -> list[str]:
    notes = []
    if listing.hidden:
        files = sum(number for _, number in listing.hidden)
        names = some([str(found) for found, _ in listing.hidden])
        notes.append(f"{count(files, 'file')} hidden or left there by a system: left out ({names})")
    if listing.others:
        names = some([str(found) for found in listing.others])
        notes.append(f"{count(len(listing.others), 'file')} of kinds that are no images: left out ({names})")
    if listing.links:
        names = some([str(found) for found in listing.links])
        notes.append(
            f"{count(len(listing.links), 'link')} to folders that are read already: left out ({names})"
        )
    if listing.strange:
        names = some([str(found) for found in listing.strange])
        notes.append(f"neither files nor folders: left out ({names})")
    return notes
