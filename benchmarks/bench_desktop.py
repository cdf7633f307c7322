"""The desktop inspector at work: how soon it is there, and whether it stays at hand.

``python -m benchmarks.bench_desktop events 1000000`` measures one group of figures beside so many events.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

EVENTS = 1_000_000
#: What is measured: modules ``desktop_*`` of this folder, each of which yields its figures.
GROUPS = ("window", "memory", "mailbox", "events")


def main(wanted: list[str] | None = None) -> None:
    """Print the figures of each group, or of those that are named; a number among the names says how many events."""
    numbers = [int(one) for one in wanted or () if one.isdigit()]
    names = [one for one in wanted or () if not one.isdigit()]
    unknown = sorted(set(names) - set(GROUPS))
    if unknown:
        sys.exit(f"no such group: {', '.join(unknown)}; known are {', '.join(GROUPS)}")
    for name in names or GROUPS:
        # What else the machine does makes every window late.
        busy = f"{name} (load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors)"
        print(f"\n  {busy:<58}{'measured':>12}{'asked':>12}", flush=True)
        for figure in import_module(f"benchmarks.desktop_{name}").measure(numbers[0] if numbers else EVENTS):
            asked = "" if figure.budget is None else f"{figure.budget:,g} {figure.unit}"
            over = "  over" if figure.budget is not None and figure.value > figure.budget else ""
            print(f"  {figure.name:<58}{figure.value:>9,.2f} {figure.unit:<2}{asked:>12}{over}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
