"""Study files and data files with mutated texts, cells and bytes, for `automl check`."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from endings import Case, Played, call
from PIL import Image

ROOT = Path(__file__).parents[2]
VALUES = [
    "-1",
    "0",
    "1e309",
    "nan",
    "''",
    "[]",
    "{}",
    "null",
    "true",
    "a" * 300,
    "é\u0000",
    "9" * 40,
    "[[[[]]]]",
    "*x",
]
CELLS = [
    "",
    "?",
    "NA",
    "1e400",
    "-0",
    "1,5",
    '"1,5"',
    "12 %",
    "$3",
    "2024-13-45",
    "31/12/1899",
    "nan",
    "x" * 9000,
    "'",
    "007",
]
STUDY = """
name: mutated
task: {{dataset: {file}, {target}metric: accuracy}}
space: {space}
evaluator: {evaluator}
budget: {{trials: 1}}
seeds: 1
executor: local
"""


class MutatedStudies:
    """Mutates the texts of the shipped studies, one to five times."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "study.yaml"
        self._texts = [path.read_text() for path in sorted((ROOT / "studies").glob("*.yaml"))]

    def case(self, seed: int) -> Case:
        """See `Mutator.case`."""
        rng = random.Random(seed)
        text = rng.choice(self._texts)
        for _ in range(rng.randint(1, 5)):
            text = rng.choice(MUTATIONS)(text, rng)
        return {"text": text}

    def play(self, case: Case) -> Played:
        """See `Mutator.play`."""
        self._file.write_text(case["text"], encoding="utf-8", errors="surrogatepass")
        return Played([call("check", str(self._file))])


class MutatedData:
    """Damages tables, arrays and folders of images, and checks studies of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def case(self, seed: int) -> Case:
        """See `Mutator.case`."""
        return {"seed": seed}

    def play(self, case: Case) -> Played:
        """See `Mutator.play`."""
        place = self._folder / f"data-{case['seed']}"
        try:
            return Played([call("check", str(data(place, case["seed"])))])
        finally:
            shutil.rmtree(place)


def _value(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    place = rng.randrange(len(lines))
    head, colon, _ = lines[place].partition(":")
    lines[place] = f"{head}{colon} {rng.choice(VALUES)}"
    return "\n".join(lines)


def _line(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    place, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[place:place] = rng.choice([[lines[other]], [], [f"  {lines[other]}"]])
    del lines[min(other, len(lines) - 1)]
    return "\n".join(lines)


def _character(text: str, rng: random.Random) -> str:
    place = rng.randrange(len(text) + 1)
    return (
        text[:place] + rng.choice(["", *"{}[]:,&*!|>%@`'\"#- \t0é\x07"]) + text[place + rng.randint(0, 2) :]
    )


def _cut(text: str, rng: random.Random) -> str:
    start = rng.randrange(len(text) + 1)
    return text[:start] + text[start + rng.randint(1, 200) :]


def _word(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    words[rng.randrange(len(words))] = rng.choice([rng.choice(words), *VALUES])
    return " ".join(words)


MUTATIONS: list[Callable[[str, random.Random], str]] = [_value, _line, _character, _cut, _word]


def data(place: Path, seed: int) -> Path:
    """The study file of a damaged table, array or folder of images, in the new folder `place`."""
    rng = random.Random(seed)
    place.mkdir()
    kind = rng.choice([_table, _arrays, _images])
    file = kind(place, rng)
    table = kind is _table
    text = STUDY.format(
        file=file.name + ("/" if file.is_dir() else ""),
        target="target: y, " if table else "",
        space="tabular" if table else "nasbench201",
        evaluator="{pipeline: {folds: 2}}" if table else "{network: {epochs: 1, channels: 4, cells: 1}}",
    )
    (place / "study.yaml").write_text(text)
    return place / "study.yaml"


def _damage(file: Path, rng: random.Random) -> None:
    content = bytearray(file.read_bytes())
    for _ in range(rng.randint(1, 6)):
        place = rng.randrange(len(content) + 1)
        match rng.randrange(4):
            case 0:
                content[place : place + 1] = bytes([rng.randrange(256)])
            case 1:
                del content[place : place + rng.randint(1, 400)]
            case 2:
                content[place:place] = content[: rng.randint(1, 400)]
            case _:
                content[place : place + 8] = bytes(rng.randrange(256) for _ in range(8))
    file.write_bytes(bytes(content))


def _table(place: Path, rng: random.Random) -> Path:
    noise = np.random.default_rng(rng.randrange(2**31))
    cells = zip(
        noise.normal(size=60).round(3), noise.choice(["Ulm", "Bonn", "Kiel"], 60), range(60), strict=True
    )
    rows = "".join(f'{size},"{town}",2024-01-{1 + n % 28},{n % 2}\n' for size, town, n in cells)
    file = place / rng.choice(["t.csv", "t.tsv", "t.txt"])
    file.write_text(f"size,town,when,y\n{rows}")
    if rng.random() < 0.5:
        _damage(file, rng)
    else:
        _odd_cells(file, rng)
    return file


def _odd_cells(file: Path, rng: random.Random) -> None:
    """A column, a row or a few cells become something else."""
    rows = [line.split(",") for line in file.read_text().split("\n")[:-1]]
    column, odd = rng.randrange(4), rng.choice(CELLS)
    for row in rng.sample(rows, rng.choice([1, 3, len(rows)])):
        row[column] = odd
    if rng.random() < 0.3:
        rows = [[*row, row[rng.randrange(4)]] for row in rows]
    file.write_text("\n".join(",".join(row) for row in rows) + rng.choice(["", "\n", "\n\n"]))


def _arrays(place: Path, rng: random.Random) -> Path:
    noise = np.random.default_rng(rng.randrange(2**31))
    shape = rng.choice([(40, 8, 8), (40, 3, 8, 8), (40, 8, 8, 3), (40, 1, 9, 5)])
    save = rng.choice([np.savez, np.savez_compressed])
    save(place / "a.npz", x=noise.integers(0, 255, shape).astype(np.uint8), y=np.arange(40) % 2)
    _damage(place / "a.npz", rng)
    return place / "a.npz"


def _images(place: Path, rng: random.Random) -> Path:
    noise = np.random.default_rng(rng.randrange(2**31))
    folder = place / "pets"
    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True)
        for number in range(8):
            mode, shape = rng.choice([("L", (8, 8)), ("RGB", (8, 8, 3)), ("RGBA", (8, 8, 4))])
            image = Image.fromarray(noise.integers(0, 255, shape, dtype=np.uint8), mode)
            image.save(folder / label / f"{number}.{rng.choice(['png', 'png', 'tif', 'webp'])}")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for file in rng.sample(files, rng.randint(1, 3)):
        if rng.random() < 0.2:
            file.rename(file.with_suffix(rng.choice([".txt", ".jpg", ""])))
        else:
            _damage(file, rng)
    return folder
