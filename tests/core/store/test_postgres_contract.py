"""The PostgreSQL store keeps the contract of stores."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contracts.bodies_contract import BodiesContract
from contracts.breakdown_contract import BreakdownContract
from contracts.retention_contract import RetentionContract
from contracts.store_contract import StoreContract
from mailnod.store.base import Store


class TestPostgresStore(StoreContract, RetentionContract, BodiesContract, BreakdownContract):
    """Every rule of the contract, on a server."""

    @pytest.fixture
    def store(self, postgres_url: str) -> Iterator[Store]:
        """Give an empty PostgreSQL store."""
        from mailnod.store.postgres.store import PostgresStore

        store = PostgresStore(postgres_url)
        yield store
        store.close()
