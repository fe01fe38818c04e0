"""One Ray Tune run whose points come from the campaign: what the executor `ray` is made of.

Tune gets points, not spaces: a `Searcher` hands out the campaign's jobs, a scheduler passes every
report on and ends the trials that the campaign ends. Actors are reused; state stays in the driver.
"""

import os

# Read by Ray at import: no usage statistics, no per-trial log files, Ctrl-C is ours.
os.environ.update(
    RAY_USAGE_STATS_ENABLED="0",
    RAY_ENABLE_AUTO_CONNECT="0",  # after its death Ray must not be joined or started by the way
    RAY_CHDIR_TO_TRIAL_DIR="0",
    RAY_OVERRIDE_JOB_RUNTIME_ENV="1",  # a driver that is a Ray job itself sends what its trials need
    TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1",
    TUNE_DISABLE_SIGINT_HANDLER="1",
    TUNE_DISABLE_STRICT_METRIC_CHECKING="1",
    RAY_AIR_NEW_OUTPUT="0",
    RAY_worker_niceness="0",  # not 15: a trial, which pays by the second, starved beside other programs
    TUNE_GLOBAL_CHECKPOINT_S="1e9",  # no snapshots of Tune's: the ledger is the truth
    TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S="0",
)
