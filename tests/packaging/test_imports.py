"""What importing costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import mailnod

HEAVY = {
    "click",
    "crawleruseragents",
    "django",
    "flask",
    "flask_mail",
    "granian",
    "PySide6",
    "rich",
    "sqlite_utils",
    "ua_parser",
}


@pytest.mark.parametrize(
    "name", ["mailnod", "mailnod.tracker", "mailnod_django", "mailnod_flask", "mailnod_flask.plugin"]
)
def test_import_is_light(name: str) -> None:
    """Importing loads no framework, no tables and nothing that only the command line or the store's upkeep needs."""
    code = f"import sys, {name}; print(' '.join({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_every_public_name_exists() -> None:
    """What ``__all__`` names can be had, in order and each once."""
    assert all(hasattr(mailnod, name) for name in mailnod.__all__)
    assert len(set(mailnod.__all__)) == len(mailnod.__all__)
