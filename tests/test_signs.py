"""Signs of life: the last ones of a killed writer are read, torn and foreign ones are none."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from automl.signs import NAME, Signs, forget_signs, last_signs


def test_they_are_those_of_their_writer(tmp_path: Path) -> None:
    folder = tmp_path / "not yet there"
    assert last_signs(folder, 3) == {}
    with Signs(folder, 3, lambda: {"token": 4.5}).noted():
        while not last_signs(folder, 3):
            time.sleep(0.01)
    assert last_signs(folder, 3) == {"token": 4.5}
    assert last_signs(folder, 4) == {}, "another driver wrote elsewhere, on another machine"


def test_shorter_ones_replace_longer_ones(tmp_path: Path) -> None:
    open_now = {f"token-{number}": 1.0 for number in range(20)}
    signs = Signs(tmp_path, 3, lambda: open_now)
    while open_now:
        signs.write()
        assert last_signs(tmp_path, 3) == open_now
        open_now.popitem()
    signs.write()
    assert last_signs(tmp_path, 3) == {}


def test_longer_ones_of_an_earlier_writer_are_written_over(tmp_path: Path) -> None:
    Signs(tmp_path, 3, lambda: {f"token-{number}": 1.0 for number in range(20)}).write()
    Signs(tmp_path, 4, lambda: {"token": 2.0}).write()
    assert last_signs(tmp_path, 4) == {"token": 2.0}
    assert last_signs(tmp_path, 3) == {}


def test_closed_ones_are_noted_no_more_and_a_full_disk_is_none_of_their_business(tmp_path: Path) -> None:
    said = {"token": 1.0}
    signs = Signs(tmp_path, 3, lambda: said)
    signs.note()
    assert last_signs(tmp_path, 3) == {"token": 1.0}
    said["token"] = 1.5
    signs.close()
    assert last_signs(tmp_path, 3) == {"token": 1.5}, "a last time"
    said["token"] = 2.0
    signs.note()
    signs.close()
    assert last_signs(tmp_path, 3) == {"token": 1.5}
    (tmp_path / "file").touch()
    Signs(tmp_path / "file", 3, lambda: said).note()


def test_without_an_attempt_there_is_no_file_nor_when_it_ends_before_the_first_ones(tmp_path: Path) -> None:
    Signs(tmp_path, 3, dict).write()
    Signs(tmp_path, 3, lambda: {"token": 0.01}).close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"writer": 3}', '{"writer": 3, "seconds": 7}', "\x00"])
def test_damaged_ones_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)
    assert last_signs(tmp_path, 3) == {}


def test_those_of_an_attempt_that_has_ended_are_forgotten(tmp_path: Path) -> None:
    Signs(tmp_path, 3, lambda: {"token": 2.0}).write()
    for _ in range(2):
        forget_signs(tmp_path)
        assert last_signs(tmp_path, 3) == {}
