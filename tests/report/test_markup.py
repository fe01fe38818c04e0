"""Pieces of HTML: tables, notes, numbers."""

from automl.report.markup import Column, note, number, table


def test_a_table_has_headings_and_row_headings() -> None:
    html = table([Column("a < b"), Column("c", "text")], [["x", "1"], ["y", "<b>2</b>"]])
    assert '<th scope="col">a &lt; b</th><th scope="col" class="text">c</th>' in html
    assert '<th scope="row">x</th><td class="text">1</td>' in html
    assert '<td class="text"><b>2</b></td>' in html


def test_notes_are_text() -> None:
    assert note("a < b") == '<p class="soft">a &lt; b</p>'


def test_numbers_have_a_true_minus_sign() -> None:
    assert [number(value) for value in (-0.5, 0.126, None)] == ["−0.50", "0.13", "–"]
    assert number(12.6, 0) == "13"
