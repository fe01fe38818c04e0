"""Features of columns of texts: what they are about, by their words or by parts of these.

Weights of terms (G. Salton, C. Buckley: Term-weighting approaches in automatic text retrieval, 1988), then
the directions in which texts differ most (S. Deerwester et al.: Indexing by latent semantic analysis, 1990).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from automl.tables.values import Values, choice

DIRECTIONS: Final = 32  # features of a column
TERMS: Final = 2**15  # that are told apart; a term is known by its hash, so that no vocabulary is kept
_ROUNDS: Final = 3  # of the randomised decomposition


def of_texts(config: Values, rows: int, seed: int) -> Any:
    """A transformer of a column of texts (n,) to at most `DIRECTIONS` numbers each; `rows` are to be fitted.

    It knows the rows that it is fitted on alone. A text whose terms they do not have is all zeros.
    """
    # scikit-learn takes a second to import
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.pipeline import make_pipeline

    terms: dict[str, Callable[[], Any]] = {
        "words": lambda: HashingVectorizer(n_features=TERMS, alternate_sign=False, norm=None),
        "characters": lambda: HashingVectorizer(
            analyzer="char_wb", ngram_range=(3, 4), n_features=TERMS, alternate_sign=False, norm=None
        ),
    }
    directions = max(1, min(DIRECTIONS, rows - 1))
    return make_pipeline(
        choice("text", config, terms)(),
        TfidfTransformer(sublinear_tf=True),
        TruncatedSVD(directions, n_iter=_ROUNDS, random_state=seed),
    )
