"""Datasets and tasks: hands out training and validation data, seals test."""
