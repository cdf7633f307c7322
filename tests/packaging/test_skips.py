"""MAILNOD_REQUIRE_ALL=1 lets nothing be skipped that could run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"


def run_pytest(folder: Path, body: str, **variables: str) -> str:
    """Run one test module under our conftest, and return pytest's last line."""
    shutil.copy(CONFTEST, folder)
    (folder / "test_it.py").write_text(f"import pytest\n{body}\n", encoding="utf-8")
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAILNOD_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)],
        cwd=folder,
        env={**env, **variables},
        capture_output=True,
        text=True,
    )
    return done.stdout.splitlines()[-1]


SKIP = "def test_it():\n    pytest.skip({!r})"


@pytest.mark.parametrize(
    "body",
    [
        SKIP.format("flask is not installed"),
        "pytest.importorskip('no_such_module')",
        "@pytest.mark.skip(reason='not today')\ndef test_it():\n    pass",
        "pytest.skip('not here', allow_module_level=True)",
    ],
)
def test_required_skip_fails(tmp_path: Path, body: str) -> None:
    """Whichever way a test is skipped, it fails where everything is required, and is skipped elsewhere."""
    assert "skipped" in run_pytest(tmp_path, body)
    last = run_pytest(tmp_path, body, MAILNOD_REQUIRE_ALL="1")
    assert "failed" in last or "error" in last


@pytest.mark.parametrize("reason", ["interpreter: no python3.13", "root: needed to mount a file system"])
def test_what_no_install_brings_stays_a_skip(tmp_path: Path, reason: str) -> None:
    """An absent interpreter and missing rights are no fault of the set-up."""
    assert "1 skipped" in run_pytest(tmp_path, SKIP.format(reason), MAILNOD_REQUIRE_ALL="1")


def test_shared_material_is_required_only_where_it_is_named(tmp_path: Path) -> None:
    """A test of shared material is skipped where MAILNOD_SHARED is unset, and fails if it skips where it is set."""
    body = "def test_it(shared):\n    pass"
    assert "1 skipped" in run_pytest(tmp_path, body, MAILNOD_REQUIRE_ALL="1")
    assert "1 passed" in run_pytest(tmp_path, body, MAILNOD_REQUIRE_ALL="1", MAILNOD_SHARED=str(tmp_path))
    refused = run_pytest(
        tmp_path, SKIP.format("MAILNOD_SHARED is unset"), MAILNOD_REQUIRE_ALL="1", MAILNOD_SHARED=str(tmp_path)
    )
    assert "1 failed" in refused


def test_expected_failures_are_no_skips(tmp_path: Path) -> None:
    """An expected failure stays one."""
    body = "@pytest.mark.xfail\ndef test_it():\n    raise ValueError"
    assert "1 xfailed" in run_pytest(tmp_path, body, MAILNOD_REQUIRE_ALL="1")
