"""Fixtures for the tests of the store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailnod.store.sqlite import SQLiteStore

pytest.register_assert_rewrite("contracts.store_contract")


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
