"""Run a fuzz target under atheris: ``python tests/fuzz/run.py fuzz_scan -max_total_time=60``."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any


def main() -> None:
    """Instrument Mailnod, then feed the named target until libFuzzer's own arguments say enough."""
    atheris: Any = import_module("atheris")
    name, *arguments = sys.argv[1:]
    dictionary = Path(__file__).with_name("html.dict")
    with atheris.instrument_imports(include=["mailnod"]):
        target = import_module(name)
    seconds = f"-timeout={int(2 * target.LIMIT_S + 8)}"
    atheris.Setup([sys.argv[0], "-max_len=4096", f"-dict={dictionary}", seconds, *arguments], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
