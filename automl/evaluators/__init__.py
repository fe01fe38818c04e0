"""Evaluators: say how good a configuration is, one file each."""
