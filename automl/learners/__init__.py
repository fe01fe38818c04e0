"""Meta-learners, one file each: they learn from many tasks how to learn one from few. Torch only, no I/O."""
