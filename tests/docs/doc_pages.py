"""The pages of the documentation and their code blocks.

HTML comments on a page say how its blocks are tested:

- `<!-- not run: reason -->` before a block: it is not.
- `<!-- needs: file -->` before a block: it is checked, where AUTOML_DATA has that file.
- `<!-- uses: page -->`: the Python blocks of another page (below the repository) run first.
- `<!-- commands: run -->`: every command runs; `run, slow`: in a slow test. By default `automl run` is only
  checked.
- `<!-- tested with: KEY=VALUE -->`: `automl run` gets this `--set` as well, so that the test is shorter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
OUTPUT = "text"  # the language of what programs print
BLOCK = re.compile(
    r"(?:^<!-- (not run|needs): ([^\n]+) -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
FILE_NAME = re.compile(r"# ([\w/-]+\.(?:py|yaml|toml))( \(continued\))?")
INLINE = re.compile(r"`(automl [a-z][^`]*)`")


@dataclass(frozen=True)
class Block:
    """One code block. `not_run`: the reason; `needs`: a file; `file`: the name in its first line."""

    line: int
    language: str
    text: str
    not_run: str = ""
    needs: str = ""

    @property
    def file(self) -> str:
        found = FILE_NAME.fullmatch(self.text.partition("\n")[0])
        return found[1] if found else ""

    @property
    def continues(self) -> bool:
        return "(continued)" in self.text.partition("\n")[0]


@dataclass(frozen=True)
class Page:
    """A page, `name` below the repository, with its blocks in order."""

    name: str
    text: str
    blocks: tuple[Block, ...]

    def settings(self, key: str) -> list[str]:
        return re.findall(rf"^<!-- {key}: ([^\n]+) -->$", self.text, re.MULTILINE)

    @property
    def runs(self) -> bool:
        return any(setting.startswith("run") for setting in self.settings("commands"))

    @property
    def slow(self) -> bool:
        return "run, slow" in self.settings("commands")


@cache
def read_page(path: Path) -> Page:
    text = path.read_text(encoding="utf-8")
    return Page(path.relative_to(ROOT).as_posix(), text, tuple(_blocks(text)))


def pages() -> list[Page]:
    return [read_page(path) for path in PAGES]


def _blocks(text: str) -> Iterator[Block]:
    for found in BLOCK.finditer(text):
        marker, value, language, body = found.groups()
        line = text.count("\n", 0, found.start(3)) + 1
        notes = {marker.replace(" ", "_"): value} if marker else {}
        yield Block(line, language, body, **notes)


def shell_lines(block: Block) -> list[str]:
    """The commands of a shell block, lines that end in a backslash joined."""
    joined = block.text.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def written_commands(page: Page) -> list[str]:
    """Every `automl …` command in the shell blocks of a page."""
    shell = [line for block in page.blocks if block.language == "bash" for line in shell_lines(block)]
    return [line for line in shell if line.startswith("automl ")]


def named_commands(page: Page) -> list[str]:
    """Every `automl …` in running text and tables; arguments may be missing there."""
    return INLINE.findall(page.text)
