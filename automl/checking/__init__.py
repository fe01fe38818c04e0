"""What a plug-in of each kind must do, as checks that run on our plug-ins and on a user's own.

Each module is named as the kind and has `checks(plugin)`, which yields the checks of its contract.
"""

from automl.checking.frame import Check, CheckResult, run_checks

__all__ = ["Check", "CheckResult", "run_checks"]
