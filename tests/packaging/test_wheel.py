"""The wheel holds what the tree holds, and works where nothing else is."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "mailnod": ROOT / "core" / "mailnod",
    "mailnod_desktop": ROOT / "desktop" / "mailnod_desktop",
    "mailnod_django": ROOT / "plugins" / "django" / "mailnod_django",
    "mailnod_flask": ROOT / "plugins" / "flask" / "mailnod_flask",
}

#: A sender that names no plugin.
SEND = """
import json, os, sqlite3
from datetime import UTC, datetime
from pathlib import Path

folder = Path({folder!r})
with sqlite3.connect(folder / "app.db") as app:
    app.execute("CREATE TABLE consents (address, purpose, opens, clicks)")
    app.execute("INSERT INTO consents VALUES ('ada@example.com', 'statistics', 1, 1)")
os.environ["EXAMPLE_SUBSCRIBERS"] = str(folder / "app.db")
os.environ["EXAMPLE_DENIED_LINKS"] = "bank.example"
os.environ["EXAMPLE_UTM_SOURCE"] = "letter"

from mailnod import Envelope, Settings, Tracker

html = '<a href="https://example.com/a">a</a> <a href="https://bank.example/">b</a>'
settings = Settings.from_mapping({{
    "MAILNOD_DATABASE": str(folder / "mailnod.db"),
    "MAILNOD_SECRET_KEYS": "0123456789abcdefghijklmnopqrstuvwxyzABCD",
    "MAILNOD_BASE_URL": "https://app.example/t",
    "MAILNOD_ROUTES": {{"news": {{"track_opens": True, "track_clicks": True}}}},
}})
tracker = Tracker(settings)

def send(address):
    now = datetime.now(UTC)
    envelope = Envelope(message_id="<1@app.example>", recipients=(address,), sent_at=now, campaign="spring")
    plans = tracker.prepare(envelope, [html], layers=[]).plans
    return [[link.url, link.tracked] for plan in plans for link in plan.links]

print(json.dumps({{"granted": send("ada@example.com"), "denied": send("bob@example.com")}}))
tracker.close()
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def python(wheel: Path, make_environment: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of an environment with the wheel and the example plugins, without any extra."""
    plugins = tmp_path_factory.mktemp("plugins") / "plugin_example"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    shutil.copytree(ROOT / "examples" / "plugin_example", plugins, ignore=ignored)
    return make_environment(str(wheel), str(plugins), constraints=ROOT / "constraints.txt")


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
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name and ".data/" not in name}
    assert names == list_tree()


def test_desktop_finds_the_inspector(wheel: Path) -> None:
    """The entry for the desktop's menus and its icon go where desktops look for them."""
    names = [name.partition(".data/data/share/")[2] for name in zipfile.ZipFile(wheel).namelist()]
    assert "applications/mailnod-desktop.desktop" in names
    assert "icons/hicolor/scalable/apps/mailnod-desktop.svg" in names


def test_wheel_is_typed_and_licensed(wheel: Path) -> None:
    """All packages say that they are typed, and the licence travels along."""
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    assert any(name.endswith("LICENSE") for name in names)


def test_command_works_without_extras(python: Path, run_program: Callable[..., str]) -> None:
    """With nothing but the required packages the command runs, and names the keys that it makes."""
    assert "doctor" in run_program(str(python.with_name("mailnod")), "--help")
    assert run_program(str(python.with_name("mailnod")), "keys", "new").startswith("0:signing:")


def test_installed_plugins_are_found(python: Path, run_program: Callable[..., str]) -> None:
    """The plugins of a package take part as soon as it is installed."""
    listed = json.loads(run_program(str(python.with_name("mailnod")), "plugins", "--json"))
    hooks = {one["name"]: one["hooks"] for one in listed}
    assert {"allow_link", "change_url"} <= set(hooks["utm"])
    assert hooks["subscribers"] == ["get_consent"]


def test_installed_plugins_do_their_work(python: Path, run_program: Callable[..., str], tmp_path: Path) -> None:
    """Loaded by their entry points alone, they read their settings, grant, deny a link, and tag the other."""
    program = tmp_path / "send.py"
    program.write_text(SEND.format(folder=str(tmp_path)), encoding="utf-8")
    assert json.loads(run_program(str(python), str(program))) == {
        "granted": [
            ["https://example.com/a?utm_source=letter&utm_medium=email&utm_campaign=spring", True],
            ["https://bank.example/", False],
        ],
        "denied": [],
    }


def test_missing_extra_is_named(python: Path, run_program: Callable[..., str]) -> None:
    """Without Flask the adapter says which extra to install."""
    code = (
        "import mailnod, mailnod_flask\n"
        "try:\n    mailnod_flask.Mail\nexcept mailnod.ConfigurationError as error:\n    print(error)"
    )
    assert "mailnod[flask]" in run_program(str(python), "-c", code)
