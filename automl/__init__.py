"""Search campaigns for architectures, pipelines and hyperparameters, compared at equal cost.

What a program uses is here, and is imported when it is asked for: `import automl` costs nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # nothing is imported here: a file on PYTHONPATH may have the name of a library
if TYPE_CHECKING:
    from typing import Any, Final

    from automl.api.campaign import Campaign as Campaign
    from automl.api.estimators import AutoMLClassifier as AutoMLClassifier
    from automl.api.estimators import AutoMLRegressor as AutoMLRegressor
    from automl.api.fitted import Fitted as Fitted
    from automl.api.fitted import fit as fit
    from automl.api.minimizing import maximize as maximize
    from automl.api.minimizing import minimize as minimize
    from automl.api.running import campaigns as campaigns
    from automl.api.running import open as open
    from automl.api.running import run as run
    from automl.api.session import Session as Session
    from automl.api.session import session as session
    from automl.api.study import Study as Study
    from automl.api.trial import Trial as Trial
    from automl.contracts import RunError as RunError
    from automl.contracts import UserError as UserError
    from automl.space import Choice as Choice
    from automl.space import Float as Float
    from automl.space import Int as Int

_PLACES: Final = {
    "AutoMLClassifier": "api.estimators",
    "AutoMLRegressor": "api.estimators",
    "Campaign": "api.campaign",
    "Choice": "space",
    "Fitted": "api.fitted",
    "Float": "space",
    "Int": "space",
    "RunError": "contracts",
    "Session": "api.session",
    "Study": "api.study",
    "Trial": "api.trial",
    "UserError": "contracts",
    "campaigns": "api.running",
    "fit": "api.fitted",
    "maximize": "api.minimizing",
    "minimize": "api.minimizing",
    "open": "api.running",
    "run": "api.running",
    "session": "api.session",
}
__all__ = [
    "AutoMLClassifier",
    "AutoMLRegressor",
    "Campaign",
    "Choice",
    "Fitted",
    "Float",
    "Int",
    "RunError",
    "Session",
    "Study",
    "Trial",
    "UserError",
    "campaigns",
    "fit",
    "maximize",
    "minimize",
    "open",
    "run",
    "session",
]


def __getattr__(name: str) -> Any:
    """The public name, imported now."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # see TYPE_CHECKING

    value = vars(import_module(f"{__name__}.{_PLACES[name]}"))[name]
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
