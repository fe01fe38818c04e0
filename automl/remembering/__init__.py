"""What a campaign remembers of earlier ones: which campaigns, on how similar data, which trials."""

from automl.remembering.building import remember
from automl.remembering.features import meta_features

__all__ = ["meta_features", "remember"]
