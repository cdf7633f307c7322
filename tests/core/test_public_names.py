"""The names that the package promises."""

from __future__ import annotations

import subprocess
import sys

import mailnod
import mailnod_flask


def test_every_promised_name_is_there() -> None:
    """Each name in __all__ can be imported, and dir() shows it."""
    for package in (mailnod, mailnod_flask):
        for name in package.__all__:
            assert getattr(package, name) is not None
        assert set(package.__all__) <= set(dir(package))


def test_import_loads_nothing_heavy() -> None:
    """Importing the package loads no database, no parser, no framework and no part of its own."""
    script = (
        "import sys, mailnod; print(*sorted(m for m in sys.modules if m.startswith('mailnod.') or m in set(sys.argv)))"
    )
    heavy = ["sqlite3", "sqlite_utils", "ua_parser", "pluggy", "click", "rich", "flask", "django", "email"]
    result = subprocess.run([sys.executable, "-c", script, *heavy], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
