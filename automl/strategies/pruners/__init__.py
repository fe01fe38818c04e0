"""Pruners, one file each."""
