"""The fuzz targets hold on what they begin with, and run under atheris where that is there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz import fuzz_scan, fuzz_tokens
from fuzz.documents import EXAMPLES, any_document

FOLDER = Path(__file__).parent
CHECKS = {"fuzz_scan": fuzz_scan.check, "fuzz_tokens": fuzz_tokens.check}


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
@settings(settings.get_profile("fuzz"))
@given(data=st.binary(max_size=64) | any_document().map(lambda html: b"\0" + html.encode("utf-8", "surrogatepass")))
def test_target_holds(check: Callable[[bytes], None], data: bytes) -> None:
    """A target finds nothing wrong with random bytes and random documents."""
    check(data)


@pytest.mark.parametrize("place", range(32))
def test_a_changed_token_is_no_token(place: int) -> None:
    """The token target sees that a token with any one character changed is refused."""
    token = fuzz_tokens.TOKEN
    for other in "Aa0_":
        fuzz_tokens.check((token[:place] + other + token[place + 1 :]).encode())
    fuzz_tokens.check(token.encode())


@pytest.mark.skipif(find_spec("atheris") is None, reason="interpreter: atheris has no wheel for this one")
@pytest.mark.parametrize("name", CHECKS)
def test_target_runs_under_atheris(name: str, tmp_path: Path) -> None:
    """Each target survives some rounds of coverage-guided inputs."""
    command = [sys.executable, str(FOLDER / "run.py"), name, f"-runs={5 * EXAMPLES}", "-max_total_time=60"]
    done = subprocess.run([*command, f"-artifact_prefix={tmp_path}/"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
