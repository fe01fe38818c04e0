"""Size of a report of 2,020 trials, and how long Chromium takes for it. Run as a script:

    python tests/benchmarks/bench_report.py [--times 5]

Seconds until the load event, and until all plots are drawn, for a new page each time. Prints Markdown.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "report")]

from chromium import PHONE, WIDE, chromium  # noqa: E402 - beside the folders above
from report_examples import ACCURACY, realistic  # noqa: E402

from automl.report import collect, html  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    metrics = [*ACCURACY, {"name": "parameters", "direction": "minimize"}]
    report = collect(realistic(seeds=10, trials=100, metrics=metrics), "nas-digits-3")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        page.write_text(html(report), encoding="utf-8")
        lines = [f"{len(report.evaluations):,} trials: {page.stat().st_size:,} bytes", ""]
        lines += ["| width | load event, s | plots drawn, s |", "|---|---|---|"]
        with chromium() as browser:
            for width in (WIDE, PHONE):
                loaded, drawn = [], []
                for _ in range(times):
                    began = time.monotonic()
                    loaded.append(browser.open(page.as_uri(), width))
                    browser.until("document.documentElement.dataset.drawn")
                    drawn.append(time.monotonic() - began)
                row = (f"{median(part):.2f} ({min(part):.2f} to {max(part):.2f})" for part in (loaded, drawn))
                lines.append(f"| {width} | {' | '.join(row)} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
