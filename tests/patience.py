"""How long a test waits for another process, or lets a trial run, before it takes it for hung."""

PATIENCE = 900.0  # seconds: only a hang ends here, so that no test rests on how fast the machine is
