"""Exported winners with other values, with and without a checksum made to fit: verified, and trained.

A file counts as this store's only while its values are those that were exported.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
from collections.abc import Iterator
from typing import Any

import yaml
from endings import Case, Played, call
from mutated_answers import JUNK
from mutated_files import MUTATIONS
from stored_campaigns import Stored, expect

from automl.export.winner import Winner

GONE = "(gone)"  # in place of a value: its key is missing


class MutatedWinners:
    """Tries mutations of the winners of a benchmark table and of a function that leaves a model."""

    def __init__(self, stored: Stored) -> None:
        self._home = home = stored.home
        self._file, self._key = home / "winner.yaml", home / "store/signing.key"
        expect(0, "run", str(home / "cut.yaml"), "--progress", "quiet")
        self._texts: dict[str, str] = {}
        for name in ("cut", "toytable"):
            expect(0, "export", name, "-o", str(self._file))
            self._texts[name] = self._file.read_text()
        self._key_text = self._key.read_text()
        expect(0, "verify", str(self._file))
        os.environ["AUTOML_PLUGINS"] = str(home)  # so that code there is trusted

    def case(self, seed: int) -> Case:
        """See `Mutator.case`: a changed text, or junk at places of the values, whose checksum may fit."""
        rng = random.Random(seed)
        of = rng.choice(list(self._texts))
        key = rng.choice(MUTATIONS)(self._key_text, rng) if rng.random() < 0.1 else None
        if rng.random() < 0.3:
            text = self._texts[of]
            for _ in range(rng.randint(1, 3)):
                text = rng.choice(MUTATIONS)(text, rng)
            return {"of": of, "key": key, "text": text.replace(str(self._home), "HOME")}
        found = list(paths(yaml.safe_load(self._texts[of])))
        junk = [[*rng.choice(found)] for _ in range(rng.randint(1, 2))]
        changes = [[path, rng.choice([GONE, *JUNK, *JUNK])] for path in junk]
        return {"of": of, "key": key, "changes": changes, "sealed": rng.random() < 0.5}

    def play(self, case: Case) -> Played:
        """See `Mutator.play`."""
        first = self._texts[case["of"]]
        text = case["text"].replace("HOME", str(self._home)) if "text" in case else _changed(first, case)
        self._file.write_text(text, encoding="utf-8", errors="surrogatepass")
        if case["key"] is not None:
            self._key.write_text(case["key"], errors="surrogatepass")
        verified = call("verify", str(self._file))
        self._key.write_text(self._key_text)
        trained = call("train", str(self._file))
        fault = ""
        if not _same(text, first) and verified.code == 0:
            fault = "counts as signed by this store"
        elif not _same(text, first) and trained.code == 0 and not case.get("sealed"):
            fault = "was trained although its values had changed"
        return Played([verified, trained], fault)


def paths(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in nested data."""
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, inner in entries:
        yield (*path, key)
        yield from paths(inner, (*path, key))


def _changed(text: str, case: Case) -> str:
    data = yaml.safe_load(text)
    for (*path, key), junk in case["changes"]:
        owner = data
        with contextlib.suppress(KeyError, IndexError, TypeError):  # gone by an earlier change
            for part in path:
                owner = owner[part]
            if junk == GONE:
                del owner[key]
            else:
                owner[key] = junk
    if case["sealed"]:
        with contextlib.suppress(ValueError, TypeError):
            data["checksum"] = Winner.model_validate_json(json.dumps(data)).digest()
    return yaml.safe_dump(data, sort_keys=False)


def _same(text: str, first: str) -> bool:
    """Whether two files mean the same: a missing key means its default, as one that holds nothing."""
    try:
        found: Any = yaml.safe_load(text)
    except yaml.YAMLError:
        return False
    before = yaml.safe_load(first)
    try:
        return Winner.model_validate_json(json.dumps(found)) == Winner.model_validate_json(json.dumps(before))
    except (ValueError, TypeError):
        return bool(_filled(found) == _filled(before))


def _filled(data: Any) -> Any:
    """Data without keys that hold nothing, which mean what a missing key does."""
    if isinstance(data, dict):
        return {key: _filled(part) for key, part in data.items() if part is not None}
    return [_filled(part) for part in data] if isinstance(data, list) else data
