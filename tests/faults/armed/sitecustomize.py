"""Python runs this at the start of every process below a test of faults: it arms those it is meant for."""

import os
import sys
from pathlib import Path

if "AUTOML_TEST_FAULT" in os.environ:
    sys.path.append(str(Path(__file__).parents[1]))
    import fault_points

    fault_points.arm_this_process()
