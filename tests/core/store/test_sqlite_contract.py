"""The SQLite store keeps the contract of stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.bodies_contract import BodiesContract
from contracts.breakdown_contract import BreakdownContract
from contracts.retention_contract import RetentionContract
from contracts.store_contract import StoreContract
from mailnod.store.base import Store
from mailnod.store.sqlite import SQLiteStore


class TestSQLiteStore(StoreContract, RetentionContract, BodiesContract, BreakdownContract):
    """Every rule of the contract, on a file."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        """Give an empty SQLite store."""
        store = SQLiteStore(tmp_path / "mailnod.db")
        yield store
        store.close()
