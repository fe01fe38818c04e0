"""Code that a file names: where it would come from, and whether it is of the right kind; none of it runs."""

from __future__ import annotations

import functools
import json
import os
import site
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from automl import origins
from automl.contracts import UserError

BOOM = "raise RuntimeError('this must not run')\n"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study's folder, last on the path."""
    folder = tmp_path / "study"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
    return folder


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that somebody has put on Python's path, such as by PYTHONPATH."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    return folder


def write(folder: Path, *files: str) -> None:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(BOOM)


@pytest.mark.parametrize(
    "reference",
    ["os:getcwd", "sys:exit", "numpy.linalg:norm", "automl.space:Float", "yaml:safe_load", "absent:at_all"],
)
def test_python_and_packages_may_be_named(reference: str, own: Path) -> None:
    assert origins.refusal(reference, [own]) is None


@pytest.mark.parametrize(
    ("file", "reference"),
    [
        ("mine_a.py", "mine_a:f"),
        ("mine_b/__init__.py", "mine_b:f"),
        ("mine_c/inner/code.py", "mine_c.inner.code:f"),
        ("mine_d/inner/__init__.py", "mine_d.inner:f"),
    ],
)
def test_only_ones_own_folder_may_be_named(file: str, reference: str, own: Path, elsewhere: Path) -> None:
    write(elsewhere, file)
    text = origins.refusal(reference, [own])
    place = (elsewhere / file).resolve()
    assert text == (
        "must come from the file's own folder, installed packages or AUTOML_PLUGINS, but "
        f"{reference} is in {place}"
    )
    (elsewhere / file).unlink()
    for folder in sorted(elsewhere.rglob("*"), reverse=True):
        folder.rmdir()
    write(own, file)
    assert origins.refusal(reference, [own]) is None


def test_folders_of_plugins_may_be_named(own: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(elsewhere, "mine_e.py")
    assert origins.refusal("mine_e:f", [own]) is not None
    monkeypatch.setenv("AUTOML_PLUGINS", os.pathsep.join([str(own), str(elsewhere)]))
    assert origins.refusal("mine_e:f", [own]) is None


def test_links_count_as_what_they_lead_to(own: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    write(foreign, "code.py", "package/__init__.py", "package/part.py")
    (own / "link_a.py").symlink_to(foreign / "code.py")
    (own / "link_b").symlink_to(foreign / "package")
    (own / "link_c").mkdir()
    (own / "link_c/part.py").symlink_to(foreign / "package/part.py")
    for reference in ("link_a:f", "link_b:f", "link_b.part:f", "link_c.part:f"):
        assert str(foreign) in str(origins.refusal(reference, [own])), reference
    write(own, "inner/real.py")
    (own / "link_d.py").symlink_to(own / "inner/real.py")
    assert origins.refusal("link_d:f", [own]) is None
    (tmp_path / "way").symlink_to(own)
    assert origins.refusal("link_d:f", [tmp_path / "way"]) is None


def test_half_a_package_elsewhere(own: Path, elsewhere: Path) -> None:
    """A folder without code that both have: what is named decides."""
    write(own, "both/ours.py")
    write(elsewhere, "both/theirs.py")
    assert origins.refusal("both.ours:f", [own]) is None
    assert origins.refusal("both.theirs:f", [own]) is not None


def test_what_is_loaded_counts(own: Path, elsewhere: Path) -> None:
    """A second study in one process would get the module of the first."""
    (elsewhere / "mine_f.py").write_text("")
    __import__("mine_f")
    write(own, "mine_f.py")
    sys.path.remove(str(elsewhere))
    assert str(elsewhere) in str(origins.refusal("mine_f:f", [own]))


def test_packages_installed_as_links(own: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = own.parent / "packages"
    monkeypatch.setattr(site, "getsitepackages", lambda: [str(packages)])
    write(elsewhere, "mine_g.py")
    origins._roots.cache_clear()
    assert origins.refusal("mine_g:f", [own]) is not None
    info = packages / "mine_g-1.dist-info"
    info.mkdir(parents=True)
    url = {"url": elsewhere.as_uri(), "dir_info": {"editable": True}}
    (info / "METADATA").write_text("Name: mine_g\nVersion: 1\n")
    (info / "direct_url.json").write_text(json.dumps(url))
    origins._roots.cache_clear()
    assert origins.refusal("mine_g:f", [own]) is None
    (info / "direct_url.json").unlink()
    (packages / "old.pth").write_text(f"# a comment\nimport sys\n\n{elsewhere}\n")
    origins._roots.cache_clear()
    assert origins.refusal("mine_g:f", [own]) is None
    origins._roots.cache_clear()


def test_every_reference_is_seen() -> None:
    data = {
        "evaluator": {"my.code:Evaluator": {"inner": [{"call": "other:f"}, 3, None]}},
        "space": "space:S",
        "text": "no: reference",
    }
    found = {".".join(map(str, path)): reference for path, reference in origins.references(data)}
    assert found == {
        "evaluator.my.code:Evaluator": "my.code:Evaluator",
        "evaluator.my.code:Evaluator.inner.0.call": "other:f",
        "space": "space:S",
    }


def test_an_entry_point_is_seen(own: Path, elsewhere: Path) -> None:
    info = elsewhere / "evil-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: evil\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[automl.strategies]\nnice_name = evil_code:PLUGIN\n")
    write(elsewhere, "evil_code.py")
    found = list(origins.references({"arms": {"a": {"strategy": "nice_name"}}}))
    assert found == [(("arms", "a", "strategy"), "evil_code:PLUGIN")]
    assert origins.refusal("evil_code:PLUGIN", [own]) is not None


def never(*_: object, **__: object) -> Any:
    raise AssertionError("called")


def two(a: int, b: int) -> None:
    never()


class Callable2:
    def __call__(self, config: object, context: object) -> None:
        never()


@functools.wraps(lambda only: None)
def wrapped(*given: object) -> None:
    never()


@pytest.mark.parametrize(
    "value", [two, lambda a, b=1: never(), functools.partial(two, b=1), Callable2(), never, wrapped, max]
)
def test_functions(value: Callable[..., Any]) -> None:
    arguments = 1 if isinstance(value, functools.partial) else 2
    assert origins.as_function(value, "m:f", arguments, "must be one") is value


@pytest.mark.parametrize(
    ("value", "arguments", "text"),
    [
        (Callable2, 2, "but 'm:f' is a class; define it with def"),
        (3, 2, "but 'm:f' is a int; define it with def"),
        (sys, 2, "but 'm:f' is a module; define it with def"),
        (
            two,
            1,
            "but 'm:f' has the arguments (a: 'int', b: 'int') -> 'None': missing a required argument: 'b'",
        ),
        (two, 3, "too many positional arguments; correct its arguments"),
        (lambda *, key: never(), 0, "missing a required"),
        (os.getcwd, 2, "but 'm:f' has the arguments (): too many positional arguments"),
    ],
)
def test_what_is_no_such_function(value: object, arguments: int, text: str) -> None:
    with pytest.raises(UserError) as raised:
        origins.as_function(value, "m:f", arguments, "must be one")
    assert str(raised.value).startswith("must be one, ") and text in str(raised.value)
