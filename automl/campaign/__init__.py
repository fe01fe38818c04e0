"""Runs a study: the one room that knows all others."""

from automl.campaign.run import run_campaign

__all__ = ["run_campaign"]
