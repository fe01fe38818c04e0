"""Weight-sharing methods, one file each. Torch only, no I/O."""
