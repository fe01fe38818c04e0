"""A study built in code: the keys of a study file, checked by the same rules with the same words."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Self, Unpack

import automl
from automl import origins, plugins
from automl.api import given
from automl.api.keys import StudyKeys
from automl.api.plain import Plain
from automl.checkpoints import write_atomically
from automl.config import Study as Checked
from automl.config import load_study, yamlfile
from automl.config.document import Document, Mistake
from automl.config.loading import study_of
from automl.config.yamltext import yaml_text
from automl.contracts import Json, UserError

SHOWN = "study"  # in messages, in the place of a file


class Study:
    """A validated study. Its arguments are the keys of a study file, shorthands included.

    `space` may be `{name: automl.Float(…)}` or a `Space`, `evaluator` a function of (config) or
    (config, context). Raises one `UserError` with all mistakes, each with its key. `folder`: where its files
    and modules are, by default the working folder, or that of the function's module. `trust`: import code
    that it names wherever that is.
    """

    def __init__(
        self, *, folder: str | Path | None = None, trust: bool = False, **keys: Unpack[StudyKeys]
    ) -> None:
        self._build(keys, None if folder is None else Path(folder), trust)

    def _build(self, written: Mapping[str, Any], folder: Path | None, trust: bool) -> None:
        plain = Plain.of(written)
        homes = list(dict.fromkeys(one.folder for one in plain.objectives if one.folder is not None))
        if folder is None and len(homes) > 1:
            listed = ", ".join(map(str, homes))
            text = f"objectives must come from modules of one folder, but got {listed}; name the folder"
            plain.mistakes.append(Mistake(("evaluator",), text))
        place = (folder or (homes[0] if homes else _home(plain.data))).resolve()
        document = Document(SHOWN, copy.deepcopy(plain.data), mistakes=plain.mistakes, numbered=False)
        if plain.mistakes:
            raise document.error(plain.mistakes)
        self._written: Json = plain.data
        self._checked = study_of(document, place, trust=trust)
        self._untold = tuple(name for one in plain.objectives for name in one.untold)
        self._alone = tuple(one.name for one in plain.objectives if one.evaluator == given.EVALUATOR)
        self._check_process()

    def _check_process(self) -> None:
        """Refuse workers in other processes for objectives that only this one has."""
        if not self._alone:
            return
        executor = plugins.build("executors", self._checked.executor)
        memory = self._checked.trial.memory is not None
        if executor.in_process and not memory:
            return
        key = "trial.memory" if memory else "executor"
        got = "a limit, which needs such a process" if memory else self._checked.executor.name
        raise UserError(
            f"{SHOWN}: {key}: trials must run in this process for the objective {self._alone[0]!r}, which no "
            f"other process can import (it is of a script, a notebook or inside a function), but got {got}; "
            "put the function into a module and import it, or leave this key out"
        )

    @classmethod
    def of(cls, keys: Mapping[str, Any], *, folder: str | Path | None = None, trust: bool = False) -> Self:
        """The study of a mapping with the keys of a study file."""
        if not isinstance(keys, Mapping):
            raise UserError(f"{SHOWN}: must be a mapping of keys, but got {keys!r:.100}; write a dict")
        study = cls.__new__(cls)
        study._build(keys, None if folder is None else Path(folder), trust)
        return study

    @classmethod
    def load(cls, path: str | Path, overrides: Sequence[str] = (), *, trust: bool = False) -> Self:
        """The study of a file, after `overrides` like `budget.trials=20`."""
        study = cls.__new__(cls)
        study._checked = load_study(path, overrides, trust=trust)
        document = yamlfile.read(Path(path))
        for assignment in overrides:
            yamlfile.override(document, assignment)
        study._written, study._untold, study._alone = document.data, (), ()
        return study

    @property
    def name(self) -> str:
        """The name, after which its campaigns are called."""
        return self._checked.name

    @property
    def checked(self) -> Checked:
        """The study with every shorthand written out."""
        return self._checked

    @property
    def untold(self) -> tuple[str, ...]:
        """What its objectives use that is no part of its identity: objects whose content cannot be told."""
        return self._untold

    def digest(self) -> str:
        """Sha256 (hex) of all that can change a result, as of its file."""
        return self._checked.digest()

    def to_dict(self) -> Json:
        """Its keys as a file has them: plain data."""
        return copy.deepcopy(self._written)

    def to_yaml(self) -> str:
        """The study file, which `automl run` accepts; its digest is this study's."""
        return yaml_text(self._written)

    def write(self, path: str | Path) -> Path:
        """Write the study file. Files and modules that it names are looked for in the folder of that file."""
        path = Path(path)
        try:
            write_atomically(path, self.to_yaml().encode())
        except OSError as error:
            raise UserError(f"{path}: must be a file that can be written, but: {error.strerror}") from error
        return path

    def __repr__(self) -> str:
        return f"<Study {self.name}: {', '.join(self._checked.arms)}; {self.digest()[:12]}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Study) and self._checked == other._checked

    def __hash__(self) -> int:
        return hash(self.digest())


def _home(data: Json) -> Path:
    """Where the modules are that a study names: the working folder; one of ours when it names none."""
    own = f"{automl.__name__}."
    named = [name for _, name in origins.references(data) if not name.startswith(own)]
    return Path.cwd() if named else Path(str(resources.files("automl.studies")))
