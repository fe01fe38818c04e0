"""Search campaigns for architectures, pipelines and hyperparameters, compared at equal cost."""
