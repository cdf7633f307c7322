"""The wheel holds what the tree holds, and works where nothing else is."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "mailnod": ROOT / "core" / "mailnod",
    "mailnod_django": ROOT / "plugins" / "django" / "mailnod_django",
    "mailnod_flask": ROOT / "plugins" / "flask" / "mailnod_flask",
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def python(wheel: Path, make_environment: Callable[..., Path]) -> Path:
    """Return the interpreter of an environment with the wheel and the example plugin, without any extra."""
    return make_environment(str(wheel), str(ROOT / "examples" / "utm_plugin"), constraints=ROOT / "constraints.txt")


def list_tree() -> set[str]:
    """Return every file of the packages, by the name that it has when it is installed."""
    return {
        f"{name}/{path.relative_to(folder).as_posix()}"
        for name, folder in PACKAGES.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and ".db" not in path.name
    }


def test_wheel_holds_the_tree(wheel: Path) -> None:
    """Every file of the packages is in the wheel, and nothing else but its metadata."""
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == list_tree()


def test_wheel_is_typed_and_licensed(wheel: Path) -> None:
    """All packages say that they are typed, and the licence travels along."""
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    assert any(name.endswith("LICENSE") for name in names)


def test_command_works_without_extras(python: Path, run_program: Callable[..., str]) -> None:
    """With nothing but the required packages the command runs, and names the keys that it makes."""
    assert "doctor" in run_program(str(python.with_name("mailnod")), "--help")
    assert run_program(str(python.with_name("mailnod")), "keys", "new").startswith("0:signing:")


def test_installed_plugin_is_found(python: Path, run_program: Callable[..., str]) -> None:
    """A plugin package takes part as soon as it is installed."""
    listed = json.loads(run_program(str(python.with_name("mailnod")), "plugins", "--json"))
    assert "change_url" in {one["name"]: one["hooks"] for one in listed}["utm"]


def test_missing_extra_is_named(python: Path, run_program: Callable[..., str]) -> None:
    """Without Flask the adapter says which extra to install."""
    code = (
        "import mailnod, mailnod_flask\n"
        "try:\n    mailnod_flask.Mail\nexcept mailnod.ConfigurationError as error:\n    print(error)"
    )
    assert "mailnod[flask]" in run_program(str(python), "-c", code)
