"""Fixtures for every test, and the rule that MAILNOD_REQUIRE_ALL=1 lets nothing be skipped that could run."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import pytest

# The lower bounds are tried where hypothesis is not installed.
with suppress(ModuleNotFoundError):
    from hypothesis import HealthCheck, settings

    # Machines are shared: how long an example takes says nothing about the code.
    settings.register_profile("mailnod", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("mailnod")

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
