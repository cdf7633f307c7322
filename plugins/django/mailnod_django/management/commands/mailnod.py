"""``manage.py mailnod``: the commands of ``mailnod``, on the project's own settings, keys and store."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import click
from django.core.management.base import BaseCommand, CommandError, CommandParser

from mailnod.cli.context import CliContext
from mailnod.cli.main import CommandGroup
from mailnod_django.apps import get_app

__all__ = ["Command"]


class Command(BaseCommand):
    """Hands everything after ``manage.py mailnod`` to Mailnod's own commands, ``--help`` included."""

    help = "Open and click tracking, with this project's settings."
    # "mailnod doctor" must run where the checks fail.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take any arguments; :func:`django.core.management.call_command` comes this way."""
        parser.add_argument("arguments", nargs=argparse.REMAINDER)

    def run_from_argv(self, argv: list[str]) -> None:
        """Run a command as the shell asks for it, without Django's own options in between."""
        _run(argv[2:], name=f"{Path(argv[0]).name} {argv[1]}", standalone=True)

    def handle(self, *_: Any, arguments: Sequence[str], **__: Any) -> None:
        """Run a command from Python; what it prints goes to this command's ``stdout``."""
        stdout: Any = self.stdout
        # Django ends each write with a line break, and writes of others come in pieces.
        stdout.ending = ""
        with redirect_stdout(stdout):
            _run(arguments, name="manage.py mailnod", standalone=False)


def _run(arguments: Sequence[str], *, name: str, standalone: bool) -> None:
    group = CommandGroup(
        "mailnod",
        help="Open and click tracking, with this project's settings.",
        context_settings={"help_option_names": ["-h", "--help"]},
        unlisted=("serve",),
    )
    context = CliContext(tracker=get_app().tracker)
    try:
        code = group.main(list(arguments), prog_name=name, standalone_mode=standalone, obj=context)
    except click.ClickException as error:
        raise CommandError(error.format_message(), returncode=error.exit_code) from error
    if code:
        raise SystemExit(code)
