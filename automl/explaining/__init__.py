"""What the winner of a table study goes by: columns that matter and how, worst rows, groups served badly."""

from automl.explaining.explanation import CURVES, REPEATS, WORST, Explanation, Extent
from automl.explaining.looking import explain

__all__ = ["CURVES", "REPEATS", "WORST", "Explanation", "Extent", "explain"]
