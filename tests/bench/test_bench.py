"""The bench runs, prints every figure, writes them down and leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from bench.figures import BOUNDS, RATIOS
from bench.phases import PHASES, Floor
from tests.processes import processes_of

ROOT = Path(__file__).resolve().parents[2]
AT_MOST_S = 240


@pytest.mark.launch
def test_the_bench_runs_prints_every_figure_and_leaves_nothing_behind(tmp_path: Path) -> None:
    kept = tmp_path / "bench.json"
    # No figure of so short a run means anything; that each is there does.
    tiny = {"BENCH_SECONDS": "0.2", "BENCH_ROUNDS": "1", "BENCH_WARM_S": "0"}
    size = {"BENCH_OFFERS": "1200", "BENCH_PAST_LINES": "1000", "BENCH_JSON": str(kept)}
    with tempfile.TemporaryDirectory(prefix="xj-", dir="/tmp") as folder:
        Path(folder).chmod(0o711)
        done = subprocess.run(
            [sys.executable, "-m", "bench"],
            cwd=ROOT,
            env={**os.environ, **tiny, **size, "TMPDIR": folder},
            capture_output=True,
            text=True,
            timeout=AT_MOST_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert list(Path(folder).iterdir()) == []
        assert processes_of(Path(folder)) == {}
    figures = json.loads(kept.read_text())
    for phase in PHASES:
        assert f"| {phase.name} |" in done.stdout
        told = figures["medians"][phase.key]
        # On a slow machine no answer may come within so short a time; all are waited for.
        assert told["answered"] > 0
        assert told["database_cpu_ms"] >= 0
        assert isinstance(phase, Floor) or told["statements"] >= 1
    for aim in RATIOS:
        assert f"| {aim.name} |" in done.stdout
        assert aim.name in figures["ratios"]
    for name, key, _ in BOUNDS:
        assert f"| {name} |" in done.stdout
        assert figures["single"][key] >= 0
    # Not a matter of speed: the same on every machine.
    assert figures["medians"]["order_hot"]["statements"] <= 8
