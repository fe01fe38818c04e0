"""Few texts as numbers, with the digits of the pipeline that was fitted."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline

from automl.tables.few_texts import few_texts
from automl.tables.not_few import NotFewError
from automl.tables.texts import of_texts
from automl.tables.values import completed

RNG = np.random.default_rng(0)
WORDS = [f"word{number}" for number in range(300)]
TEXTS = [" ".join(RNG.choice(WORDS, RNG.integers(1, 30))) for _ in range(80)]
NEW = ["", "strange terms alone", "word1 word1 word1 word2", "Word3, word4; WORD3!", *TEXTS[:20]]


@pytest.mark.parametrize("kind", ["words", "characters"])
@pytest.mark.parametrize("rows", [2, 80])
def test_the_digits_are_those_of_the_pipeline(kind: str, rows: int) -> None:
    fitted = of_texts(completed({"text": kind}), rows, seed=3)
    fitted.fit(TEXTS[:rows])
    quick = few_texts(fitted)
    for texts in (NEW, NEW[:1], NEW[1:2], NEW[2:3], TEXTS[5:6]):
        found = quick(texts)
        assert np.array_equal(found, fitted.transform(texts)) and found.dtype == np.float64
    assert not quick(["", ""]).any() and quick(TEXTS[:1]).any()


def test_other_pipelines_go_the_usual_way() -> None:
    with pytest.raises(NotFewError):
        few_texts(make_pipeline(CountVectorizer()).fit(TEXTS))
    other = of_texts(completed({}), 80, seed=0).fit(TEXTS)
    other[1].norm = "l1"
    with pytest.raises(NotFewError):
        few_texts(other)
