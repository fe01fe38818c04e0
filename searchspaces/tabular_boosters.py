"""Pipelines for tables as in `tabular`, and boosting by LightGBM, XGBoost and CatBoost.

Their packages come with the extra `tables`; where one is absent, a study of this space says so at once.
"""

from __future__ import annotations

from automl.searchspaces.tabular import DEFAULT, MODELS, parameters
from automl.searchspaces.tabular_boosters_portfolio import PORTFOLIO
from automl.space import Space

FAMILIES = (*MODELS, "lightgbm", "xgboost", "catboost")
PLUGIN = Space(parameters(FAMILIES), default=DEFAULT).with_portfolio(PORTFOLIO)
