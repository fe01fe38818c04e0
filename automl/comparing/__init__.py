"""Campaigns against campaigns: side by side, over a study, over a dataset; and winners' files."""
