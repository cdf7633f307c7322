"""The lower bounds in setup.cfg are true."""

from __future__ import annotations

import configparser
import re
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OLDEST = ROOT / "constraints-oldest.txt"
#: The part of the suite that touches every dependency.
SMOKE = (
    "tests/core/cli/test_consent.py",
    "tests/core/cli/test_deliveries.py",
    "tests/core/cli/test_serve.py",
    "tests/django_plugin/test_mail_contract.py",
    "tests/docs/test_quickstart.py",
    "tests/flask_plugin/test_mail_contract.py",
)


def read_bounds() -> dict[str, str]:
    """Return the lower bound of every run-time requirement, by its name."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    extras = config["options.extras_require"]
    lines = config["options"]["install_requires"].splitlines()
    lines += [line for extra in ("flask", "django", "postgres", "serve", "demo") for line in extras[extra].splitlines()]
    found = (re.fullmatch(r"([\w-]+)(?:\[\w+\])?>=([\w.]+)", line.strip()) for line in lines if line.strip())
    return {match[1]: match[2] for match in found if match}


def test_every_bound_is_pinned() -> None:
    """The oldest versions that are installed here are the lower bounds of setup.cfg."""
    lines = OLDEST.read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    for name, bound in read_bounds().items():
        assert pins[name] == bound, name


@pytest.mark.slow
def test_oldest_versions_work(
    wheel: Path, make_environment: Callable[..., Path], run_program: Callable[..., str], tmp_path: Path
) -> None:
    """With every requirement at its lower bound, sending, collecting, judging, showing and serving work."""
    python = make_environment(f"{wheel}[demo,django,serve]", "pytest>=8.3", constraints=OLDEST)
    config = tmp_path / "pytest.ini"
    # Old packages warn of their own on newer Pythons; what is checked here is that they work.
    options = f"addopts = --import-mode=importlib -p no:cacheprovider\npythonpath = {ROOT / 'tests'}\n"
    config.write_text(f"[pytest]\n{options}", encoding="utf-8")
    paths = [str(ROOT / path) for path in SMOKE]
    run_program(str(python), "-m", "pytest", "-q", "-c", str(config), "--rootdir", str(ROOT), *paths)
