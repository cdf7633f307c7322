"""What starting costs: importing the package, and showing the help of the command."""

from __future__ import annotations

import subprocess
import sys
from time import perf_counter

RUNS = 9
BUDGETS_MS = {"import mailnod": 50.0, "mailnod --help": 500.0}
HELP = "from mailnod.cli.main import cli; cli(['--help'])"


def main() -> None:
    """Print how much longer than an empty interpreter each takes."""
    empty_ms = _measure("pass")
    for what, code in (("import mailnod", "import mailnod"), ("mailnod --help", HELP)):
        took_ms = _measure(code) - empty_ms
        verdict = "kept" if took_ms <= BUDGETS_MS[what] else "EXCEEDED"
        print(f"{what:<20}{took_ms:8.1f} ms, budget {BUDGETS_MS[what]:.0f} ms {verdict}")
    print(f"{'empty interpreter':<20}{empty_ms:8.1f} ms")


def _measure(code: str) -> float:
    """Return the least time that an interpreter needs for some code, in milliseconds."""
    times = []
    for _ in range(RUNS):
        started = perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
        times.append(perf_counter() - started)
    return min(times) * 1000
