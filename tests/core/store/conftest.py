"""Fixtures for the tests of the store."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailnod.store.sqlite import SQLiteStore


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Name a database that is not there yet, in a folder that is not there either."""
    return tmp_path / "data" / "mailnod.db"


@pytest.fixture
def store(database: Path) -> Iterator[SQLiteStore]:
    """Give an empty SQLite store."""
    store = SQLiteStore(database)
    yield store
    store.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a file system of one megabyte."""
    if os.geteuid() != 0:
        pytest.skip("root: needed to mount a file system")
    mount = tmp_path / "small"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("root: mounting is not allowed here")
    yield mount
    subprocess.run(["umount", "--lazy", str(mount)], check=True)
