"""Environments of their own, in which the built wheel is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("README.md", "LICENSE", "setup.cfg", "pyproject.toml")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy of the tree, so that no left-over of an earlier build gets into it."""
    copy = tmp_path_factory.mktemp("tree")
    for name in SOURCES:
        shutil.copy(ROOT / name, copy)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.db*")
    for name in ("core", "desktop", "plugins"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    target = tmp_path_factory.mktemp("wheel")
    run_checked(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(copy))
    (found,) = target.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def make_environment(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that makes a virtual environment, installs into it, and returns its interpreter."""

    def make(*requirements: str, constraints: Path) -> Path:
        folder = tmp_path_factory.mktemp("environment")
        venv.create(folder, with_pip=True, symlinks=True)
        python = folder / "bin" / "python"
        run_checked(str(python), "-m", "pip", "install", "--quiet", "-c", str(constraints), *requirements)
        return python

    return make


def run_checked(*arguments: str) -> str:
    """Run a program without our own paths in its environment, and return what it printed."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV", "MAILNOD_"))}
    done = subprocess.run(arguments, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def run_program() -> Callable[..., str]:
    """Return a function that runs a program and returns what it printed."""
    return run_checked
