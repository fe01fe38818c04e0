"""Runs a study: the one room that knows all others."""

from automl.campaign.continuing import Wanted
from automl.campaign.growth import Addition
from automl.campaign.needs import luggage_of
from automl.campaign.run import run_campaign

__all__ = ["Addition", "Wanted", "luggage_of", "run_campaign"]
