"""Models of a study that are used: a gate before the champion, the way back, the archive; all recorded."""

from automl.promoting.at_end import at_end
from automl.promoting.deciding import archive, promote, rollback
from automl.promoting.decision import Condition, Decision
from automl.promoting.telling import tell_of_champions

__all__ = ["Condition", "Decision", "archive", "at_end", "promote", "rollback", "tell_of_champions"]
