"""A few texts as a fitted column of texts turns them into numbers, without its checks and copies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from automl.tables.not_few import NotFewError

OfTexts: TypeAlias = Callable[[list[str]], np.ndarray]


def few_texts(transformer: Any) -> OfTexts:
    """What the pipeline of `of_texts` makes of texts, (n, directions). Raises `NotFewError` for others."""
    # scikit-learn takes a second to import
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

    steps = [step for _, step in transformer.steps]
    if [type(step) for step in steps] != [HashingVectorizer, TfidfTransformer, TruncatedSVD]:
        raise NotFewError
    words, weights, directions = steps
    if words.binary or words.norm or not weights.sublinear_tf or weights.norm != "l2":
        raise NotFewError
    counted, weighted, turned = _counted(words), _weighted(weights), _turned(directions)
    return lambda texts: turned(weighted(counted(texts)))


def _counted(vectorizer: Any) -> Callable[[list[str]], Any]:
    """Terms by their hashes, as a sparse matrix (n, terms)."""
    terms_of, hasher = vectorizer.build_analyzer(), vectorizer._get_hasher()
    return lambda texts: hasher.transform(terms_of(text) for text in texts)


def _weighted(transformer: Any) -> Callable[[Any], Any]:
    """The weights of counts, in their place."""
    from sklearn.utils.sparsefuncs_fast import inplace_csr_row_normalize_l2  # takes a second to import

    rarity = transformer.idf_

    def weigh(counts: Any) -> Any:
        np.log(counts.data, counts.data)
        counts.data += 1.0
        counts.data *= rarity[counts.indices]
        inplace_csr_row_normalize_l2(counts)
        return counts

    return weigh


def _turned(decomposition: Any) -> Callable[[Any], np.ndarray]:
    """The directions of weights, summed in the same order; of terms that are not there nothing is copied."""
    from scipy.sparse import csr_array  # scipy takes a while to import

    components = decomposition.components_

    def turn(weights: Any) -> np.ndarray:
        terms = weights.indices
        here = csr_array(
            (weights.data, np.arange(len(terms)), weights.indptr), shape=(weights.shape[0], len(terms))
        )
        return np.asarray(here @ np.ascontiguousarray(components[:, terms].T))

    return turn
