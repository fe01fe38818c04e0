"""Search spaces: parameters with conditions and constraints, and what can be done with a configuration."""

from automl.space.declaration import Constraint
from automl.space.parameters import Choice, Float, Int, Parameter, parameter_from_json
from automl.space.portfolio import Portfolio
from automl.space.space import Space

__all__ = ["Choice", "Constraint", "Float", "Int", "Parameter", "Portfolio", "Space", "parameter_from_json"]
