"""What pages say in running text is so: commands, links, targets of make, tables."""

from __future__ import annotations

import re
import shlex
import sys
from typing import Any

import click
import pytest
import typer
from doc_pages import ROOT, Page, named_commands, pages, written_commands
from sandbox import parsed

from automl.cli.commands import app
from automl.training.recipe import NetworkOptions

sys.path.insert(0, str(ROOT / "docs" / "tools"))

import tables

README = next(page for page in pages() if page.name == "README.md")
COMMANDS = next(page for page in pages() if page.name == "docs/reference/commands.md")
LINKS = re.compile(r"\]\(([^)#:]+)\)")
MOST_LINES = 200
MOST_BYTES = 150_000


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_commands_and_their_options_exist(page: Page) -> None:
    for line in written_commands(page):
        parsed(shlex.split(line, comments=True)[1:])
    for line in named_commands(page):
        _check_names(line)


def _check_names(line: str) -> None:
    """The command exists and has the options; `COMMAND` stands for any."""
    command: Any = typer.main.get_command(app)
    words = shlex.split(line)[1:]
    while words and isinstance(command, click.Group | typer.core.TyperGroup) and words[0].islower():
        assert words[0] in command.commands, line
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    assert {word for word in words if word.startswith("-")} <= known, line


@pytest.mark.parametrize("page", [README, COMMANDS], ids=lambda page: page.name)
def test_every_command_is_listed(page: Page) -> None:
    group: Any = typer.main.get_command(app)
    listed = " ".join(named_commands(page))
    assert not [name for name in group.commands if f"automl {name}" not in listed]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_files_and_targets_exist(page: Page) -> None:
    folder = (ROOT / page.name).parent
    assert not [link for link in LINKS.findall(page.text) if not (folder / link).exists()]
    scripts = re.findall(r"`((?:mlflow|tests|studies|automl|docs)/[\w/.]+)", page.text)
    assert not [name for name in scripts if not (ROOT / name).exists()]
    targets = (ROOT / "Makefile").read_text()
    assert not [name for name in re.findall(r"`make (\w+)", page.text) if f"\n{name}:" not in targets]


def test_recipes_name_options_of_the_evaluator() -> None:
    text = next(page.text for page in pages() if page.name == "docs/guides/recipes.md")
    table = text.partition("| option of `network` |")[2].partition("\n\n")[0]
    names = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\|([^|]*)\|", table, re.MULTILINE))))
    assert len(names) > 10
    assert names <= set(NetworkOptions.model_fields)


def test_readme_is_short() -> None:
    assert len(README.text.splitlines()) <= MOST_LINES


def test_pictures_are_small() -> None:
    pictures = list((ROOT / "docs" / "images").iterdir())
    assert pictures
    assert [picture.name for picture in pictures if picture.stat().st_size > MOST_BYTES] == []


def test_the_table_of_rooms_is_current() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert tables.with_rooms(text) == text, "run: make format"


def test_the_floors_name_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    floors = text.partition("## Floors")[2].partition("\n## ")[0]
    rooms = re.findall(r"^\| `(\w+)` \|", tables.rooms(), re.MULTILINE)
    assert len(rooms) > 20
    assert [room for room in rooms if f"`{room}`" not in floors] == []
