"""Strategies: propose configurations and prune trials. The only room that imports Optuna."""
