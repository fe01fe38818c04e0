"""From a table to predictions: the study behind `automl fit`, and what came of it in words."""

from automl.fitting.outcome import Outcome, outcome_of
from automl.fitting.plan import Plan, Wishes, plan

__all__ = ["Outcome", "Plan", "Wishes", "outcome_of", "plan"]
