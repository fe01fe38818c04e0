"""A library that takes a while to import."""

import time

time.sleep(0.6)
whole = True
