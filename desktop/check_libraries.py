"""Say whether the window's tests can run here; exit with 0 where they can, with 3 where they are skipped.

With MAILNOD_REQUIRE_ALL=1 what is missing is a failure (1).
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys

MODULES = ("PySide6.QtWidgets", "PySide6.QtWebEngineWidgets")


def find_missing() -> list[str]:
    """Return what is missing, in words."""
    missing = []
    for name in MODULES:
        try:
            importlib.import_module(name)
        except ImportError as error:
            missing.append(f"{name}: {error}")
    if shutil.which("xvfb-run") is None:
        missing.append("xvfb-run: not found")
    return missing


def main() -> int:
    """Print what is missing and how to get it."""
    missing = find_missing()
    if not missing:
        return 0
    required = os.environ.get("MAILNOD_REQUIRE_ALL") == "1"
    print("The window's tests", "fail" if required else "are skipped", "because something is missing here:")
    print(*(f"  {line}" for line in missing), sep="\n")
    print("On Debian: sudo apt-get install $(sed '/^#/d' desktop/packages-debian.txt)")
    return 1 if required else 3


if __name__ == "__main__":
    sys.exit(main())
