"""The matrix of Pythons, Djangos and dependencies names what setup.cfg promises."""

from __future__ import annotations

import configparser
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run_nox(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run nox on the project's sessions."""
    command = [sys.executable, "-m", "nox", "--noxfile", str(ROOT / "noxfile.py"), *arguments]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True)


@pytest.fixture(scope="module")
def sessions() -> list[dict[str, str]]:
    """Return what nox knows of each session."""
    listed: list[dict[str, str]] = json.loads(run_nox("--list", "--json").stdout)
    return listed


@pytest.fixture(scope="module")
def classifiers() -> list[str]:
    """Return what setup.cfg says of the package."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config["metadata"]["classifiers"].split("\n")


def test_every_promise_is_in_the_matrix(sessions: list[dict[str, str]], classifiers: list[str]) -> None:
    """Each Python and each Django that setup.cfg names is tried, with old packages and with new ones."""
    promised = [line.rpartition(" :: ")[2] for line in classifiers if "Python :: 3." in line]
    djangos = [line.rpartition(" :: ")[2] for line in classifiers if "Django :: " in line]
    names = [session["session"] for session in sessions]
    for age in ("newest", "oldest"):
        assert [python for python in promised if f"smoke({python}-django-5.2-{age})" not in names] == []
        assert [django for django in djangos if f"smoke(3.13-django-{django}-{age})" not in names] == []


def test_make_test_tries_every_django_once(sessions: list[dict[str, str]], classifiers: list[str]) -> None:
    """The slim part, which runs with the other tests, leaves out no Django."""
    slim = [session["session"] for session in sessions if "slim" in session["tags"]]
    djangos = [line.rpartition(" :: ")[2] for line in classifiers if "Django :: " in line]
    assert [django for django in djangos if not any(f"-django-{django}-newest" in name for name in slim)] == []


def test_absent_python_is_named(tmp_path: Path) -> None:
    """A Python that is not there is skipped by its name, and the rest counts."""
    absent = "3.12" if sys.version_info[:2] != (3, 12) else "3.13"
    empty = {"PATH": str(tmp_path), "HOME": str(tmp_path), "PYENV_ROOT": ""}
    done = run_nox("-s", f"smoke({absent}-django-5.2-newest)", **empty, CI="true")
    assert done.returncode == 0, done.stderr
    assert f"Python interpreter {absent} not found" in done.stderr
