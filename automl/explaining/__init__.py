"""What the winner of a table study goes by: columns that matter, worst rows, groups served badly."""

from automl.explaining.explanation import Explanation, explain

__all__ = ["Explanation", "explain"]
