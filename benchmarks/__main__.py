"""Run every benchmark, or those whose names are given: ``python -m benchmarks tokens``."""

from __future__ import annotations

import platform
import sys
from importlib import import_module
from pathlib import Path


def main(wanted: list[str]) -> None:
    """Run the modules ``bench_*`` of this folder, each through its ``main()``.

    :param wanted: names without ``bench_``; none at all means every one.
    """
    names = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(unknown)}; known are {', '.join(names)}")
    print(f"Python {platform.python_version()} on {platform.machine()}; best of several runs, ratios from the same run")
    for name in wanted or names:
        print(f"\n{name}\n{'-' * len(name)}", flush=True)
        import_module(f"benchmarks.bench_{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
