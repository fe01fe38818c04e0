"""A folder in which the blocks of one page run, in their order."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import sys
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
import typer
import yaml
from doc_pages import ROOT, Block, Page, read_page, shell_lines
from in_process import automl
from jsonschema import Draft202012Validator

from automl.benchmarks.files import find_file
from automl.cli.commands import app
from automl.config import load_study, resolve
from automl.config.schema import study_schema
from automl.contracts import UserError

NEED_DATA = {"nas_fashion", "nas_cifar10", "meta_omniglot", "meta_omniglot_full"}  # shipped studies
ALWAYS_RUN = {"check", "schema", "check-plugin"}  # commands that need no campaign
ONLY_OF_RUN = {"--fresh"}
CHECKED: set[str] = set()  # digests of plug-in files: several pages show the same one


class Sandbox:
    """Runs the blocks of a page. `run`: commands run for real; otherwise `automl run` is checked only."""

    def __init__(self, page: Page, folder: Path, patch: pytest.MonkeyPatch, *, run: bool) -> None:
        self.page, self.folder, self.patch, self.run = page, folder, patch, run
        self.modules = set(sys.modules)
        self.studies = 0
        patch.chdir(folder)
        patch.syspath_prepend(folder)
        patch.setenv("AUTOML_PLUGINS", str(folder / "my_plugins"))
        (folder / "studies").symlink_to(ROOT / "studies")

    def close(self) -> None:
        for name in set(sys.modules) - self.modules:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(self.folder)):
                del sys.modules[name]

    def blocks(self) -> None:
        """Write all files of the page, then run its blocks in order."""
        for used in self.page.settings("uses"):
            for block in read_page(ROOT / used).blocks:
                if block.language == "python":
                    self.python(block)
        for block in self.page.blocks:
            if block.language == "python" and block.file:
                self.python(block)
        for block in self.page.blocks:
            if not block.not_run and not (block.language == "python" and block.file):
                self.block(block)

    def block(self, block: Block) -> None:
        if block.needs and not self.has(block.needs):
            return
        match block.language:
            case "python":
                self.python(block)
            case "yaml":
                self.study(block)
            case "bash":
                for line in shell_lines(block):
                    self.command(line, run=self.run and not block.needs)
            case "json":
                json.loads(block.text)
            case "toml":
                tomllib.loads(block.text)
            case "text":  # what a program printed
                pass
            case other:
                raise AssertionError(f"{self.page.name}:{block.line}: a block must not be {other!r}")

    def has(self, name: str) -> bool:
        try:
            return find_file(name).is_file()
        except UserError:
            return False

    def python(self, block: Block) -> None:
        if not block.file:
            exec(compile(block.text, f"{self.page.name}:{block.line}", "exec"), {"__name__": "__main__"})
            return
        path = self.folder / block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        body = block.text.partition("\n")[2]
        path.write_text(path.read_text() + body if block.continues else body.lstrip("\n"))

    def study(self, block: Block) -> None:
        """The study is valid, and valid by the schema too."""
        self.studies += 1
        path = self.folder / (block.file or f"study_{self.studies}.yaml")
        path.write_text(block.text)
        study = load_study(path)
        assert "random" in study.arms
        resolve(study)
        data = json.loads(json.dumps(yaml.safe_load(block.text)))
        wrong = [error.message for error in Draft202012Validator(study_schema()).iter_errors(data)]
        assert wrong == [], f"{self.page.name}:{block.line}"

    def command(self, line: str, *, run: bool) -> None:
        words = shlex.split(line, comments=True)
        if words[0] == "automl":
            parsed(words[1:])
            self.automl(words[1:], run=run)
        elif words[0] == "make":
            targets = (ROOT / "Makefile").read_text()
            assert all(f"\n{target}:" in targets for target in words[1:]), line
        elif words[0] == "python":
            path = self.folder / words[1]
            exec(compile(path.read_text(), str(path), "exec"), {"__name__": "__main__"})
        elif words[0] == ".venv/bin/pytest":
            paths = [word.partition("::")[0] for word in words[1:] if "/" in word]
            assert all((ROOT / path).exists() for path in paths), line
        else:
            assert words[0] == "export", f"{self.page.name}: say why it is not run: {line}"

    def automl(self, words: list[str], *, run: bool) -> None:
        if not run and words[0] == "run":
            words = ["check", *(word for word in words[1:] if word not in ONLY_OF_RUN)]
        if words[0] == "check-plugin":
            path = Path(words[1]) if Path(words[1]).exists() else ROOT / words[1]
            words = ["check-plugin", str(path), *words[2:]]
            if not self.first_time(path):
                return
        if words[0] == "check" and "AUTOML_DATA" not in os.environ and set(words) & NEED_DATA:
            return
        if run and words[0] == "run":
            words = [*words, *(f"--set={change}" for change in self.page.settings("tested with"))]
        if run or words[0] in ALWAYS_RUN or (words[0] == "list" and words[1] != "campaigns"):
            self.call(words)

    def first_time(self, path: Path) -> bool:
        """Whether a plug-in file is checked here: not twice, and on slow pages only in the slow test."""
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest in CHECKED or (self.page.slow and not self.run):
            return False
        CHECKED.add(digest)
        return True

    def call(self, words: list[str]) -> None:
        """Run the program; a redirection to a file is left out."""
        words = words[: words.index(">")] if ">" in words else words
        code = automl(self.patch, *words)
        assert code == 0, f"{self.page.name}: automl {shlex.join(words)} ended with {code}"


def parsed(words: list[str]) -> None:
    """Take the words of a command line apart as the program would. Raises for an unknown name or option."""
    command: Any = typer.main.get_command(app)
    words = words[: words.index(">")] if ">" in words else list(words)
    context = click.Context(command, info_name="automl")
    while isinstance(command, click.Group | typer.core.TyperGroup):
        name = words.pop(0)
        assert name in command.commands, f"there must be a command {name}"
        command = command.commands[name]
    command.make_context(command.name, words, parent=context)
