"""Layers that search spaces are made of: operations, kernels, normalisation, mixed operations."""
