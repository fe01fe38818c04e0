"""Takes a winner out of its campaign: the certificate, training it, a folder that needs torch alone."""

from automl.export.certificate import export_config
from automl.export.winner import Winner, read_winner

__all__ = ["Winner", "export_config", "read_winner"]
