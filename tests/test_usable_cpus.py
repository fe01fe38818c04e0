"""CPUs that this process may use: no more than its container's quota, and at least one."""

from __future__ import annotations

from pathlib import Path

from automl.machine import usable_cpus


def test_a_quota_of_the_container_bounds_what_the_affinity_leaves(tmp_path: Path) -> None:
    file = tmp_path / "cpu.max"
    whole = usable_cpus(file)
    assert whole >= 1, "no file, no quota"
    cases = {"max 100000": whole, "100000 100000": 1, "50000 100000": 1, "nonsense": whole}
    for text, expected in cases.items():
        file.write_text(f"{text}\n")
        assert usable_cpus(file) == expected, text
    file.write_text("99900000 100000\n")
    assert usable_cpus(file) == whole, "a quota beyond the affinity changes nothing"
