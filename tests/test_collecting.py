"""How often Python looks for cycles is as before once the last of those who want it seldom is through."""

from __future__ import annotations

import gc
import threading

import pytest

from automl.collecting import SELDOM, seldom


def test_it_is_as_before_at_the_end_and_after_an_error() -> None:
    before = gc.get_threshold()
    with pytest.raises(KeyError), seldom(), seldom():
        assert gc.get_threshold() == (SELDOM, *before[1:])
        raise KeyError
    assert gc.get_threshold() == before


def test_threads_that_overlap_leave_it_as_before() -> None:
    before = gc.get_threshold()
    first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with seldom():
            first_in.set()
            second_in.wait()
        first_out.set()

    thread = threading.Thread(target=first)
    thread.start()
    first_in.wait()
    with seldom():
        second_in.set()
        first_out.wait()
        assert gc.get_threshold()[0] == SELDOM, "the other one still reads"
    thread.join()
    assert gc.get_threshold() == before


def test_who_has_turned_it_off_keeps_it_off() -> None:
    before = gc.get_threshold()
    gc.set_threshold(0)
    try:
        with seldom():
            assert gc.get_threshold()[0] == 0
        assert gc.get_threshold()[0] == 0
    finally:
        gc.set_threshold(*before)
