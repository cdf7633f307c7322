"""The group: what it shows, what it imports, and how it fails."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from mailnod import ConfigurationError, TrackError
from mailnod.cli.main import BUILT_IN, CommandGroup, cli

Run = Callable[..., Result]


def test_overview_lists_every_command(run: Run) -> None:
    """The help names each built-in command with its summary."""
    result = run("--help")
    assert result.exit_code == 0
    for name, (_, summary) in BUILT_IN.items():
        assert name in result.output
        assert summary in result.output


@pytest.mark.parametrize("group", ["", "consent", "keys", "networks"])
def test_no_summary_is_cut_off(run: Run, group: str) -> None:
    """Each summary in an overview is a whole sentence."""
    assert "..." not in run(*filter(None, [group]), "--help", width=80).output.partition("Commands:")[2]


@pytest.mark.parametrize("name", BUILT_IN)
def test_each_command_is_where_the_table_says(run: Run, name: str) -> None:
    """Every built-in command can be imported, bears its name, and has help."""
    module, _, attribute = BUILT_IN[name][0].partition(":")
    assert getattr(import_module(module), attribute).name == name
    assert run(name, "--help").exit_code == 0


def test_help_imports_no_heavy_package() -> None:
    """The overview needs no store, no judge, no table renderer and no framework."""
    code = (
        "import sys\nfrom mailnod.cli.main import cli\ncli(['--help'], standalone_mode=False)\n"
        "heavy = {'sqlite_utils', 'ua_parser', 'crawleruseragents', 'rich', 'granian', 'PySide6', 'django'}\n"
        "sys.exit(str(sorted(heavy & set(sys.modules))) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("error", "exit_code"), [(ConfigurationError("wrong"), 2), (TrackError("wrong"), 1)])
def test_errors_are_one_line(error: Exception, exit_code: int) -> None:
    """A wrong set-up ends with 2 and a failure at run time with 1, each with one line on standard error."""
    group = CommandGroup("group")

    @group.command()
    def broken() -> None:
        raise error

    result = CliRunner().invoke(group, ["broken"])
    assert (result.exit_code, result.stdout, result.stderr) == (exit_code, "", "Error: wrong\n")


def test_unknown_command_is_refused(run: Run) -> None:
    """A command that nobody has ends with 2."""
    assert run("evnets").exit_code == 2


def test_failing_plugins_leave_built_in_commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An installed plugin that cannot be imported is named on standard error, and the overview still shows."""
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mailnod]\nbroken = no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    result = CliRunner().invoke(CommandGroup("mailnod"), ["--help"])
    assert result.exit_code == 0
    assert "no_such_module" in result.stderr
    assert "doctor" in result.stdout


def test_built_in_goes_before_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin cannot replace a built-in command."""
    group = CommandGroup("mailnod")
    group.add_command(click.Command("doctor", callback=lambda: click.echo("mine")))
    assert "Check keys" in CliRunner().invoke(group, ["doctor", "--help"]).output


def test_unlisted_command_can_be_asked_why() -> None:
    """A command that does not fit is left out of the overview, and still says why it does not fit."""
    group = CommandGroup("mailnod", unlisted=("serve",))
    assert "serve" not in CliRunner().invoke(group, ["--help"]).output
    assert CliRunner().invoke(group, ["serve", "--help"]).exit_code == 0


def test_version_is_the_package_s() -> None:
    """``--version`` says which Mailnod runs."""
    assert "0.1" in CliRunner().invoke(cli, ["--version"]).output
