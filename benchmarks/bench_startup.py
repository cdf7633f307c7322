"""What starting costs: importing the package, and showing the help of the command."""

from __future__ import annotations

import subprocess
import sys
from time import perf_counter

RUNS = 9
#: What is started, with which code, and the most that it may take, in milliseconds; None where nothing was promised.
STARTS: tuple[tuple[str, str, float | None], ...] = (
    ("import mailnod", "import mailnod", 50.0),
    ("mailnod.Tracker", "from mailnod import Tracker", None),
    ("mailnod --help", "from mailnod.cli.main import cli; cli(['--help'])", 500.0),
)


def main() -> None:
    """Print how much longer than an empty interpreter each takes."""
    empty_ms = _measure("pass")
    for what, code, budget_ms in STARTS:
        took_ms = _measure(code) - empty_ms
        verdict = "" if budget_ms is None else f", budget {budget_ms:.0f} ms {_judge(took_ms, budget_ms)}"
        print(f"{what:<20}{took_ms:8.1f} ms{verdict}")
    print(f"{'empty interpreter':<20}{empty_ms:8.1f} ms")


def _judge(took_ms: float, budget_ms: float) -> str:
    return "kept" if took_ms <= budget_ms else "EXCEEDED"


def _measure(code: str) -> float:
    """Return the least time that an interpreter needs for some code, in milliseconds."""
    times = []
    for _ in range(RUNS):
        started = perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
        times.append(perf_counter() - started)
    return min(times) * 1000
