"""``mailnod demo``: real mail, opened and clicked by clients as they really look, and what is counted of it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click

from mailnod import ConfigurationError

__all__ = ["demo"]


@click.command(short_help="Send, open, click, and show what is counted.")
@click.option(
    "--database",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to put the store; a fresh folder for temporary files where it is not given.",
)
@click.option("--keep", is_flag=True, help="Leave the app running at the end, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
def demo(database: Path | None, keep: bool, as_json: bool) -> None:
    """Send a newsletter, open and click it as real clients do, and show what is counted.

    Everything stays on this machine: a Flask app, a mail server and the clients talk over the loopback interface.
    """
    missing = [name for name in ("flask", "flask_mail", "aiosmtpd") if find_spec(name) is None]
    if missing:
        raise ConfigurationError(f"the demo needs {', '.join(missing)}: pip install 'mailnod[demo]'")
    from mailnod_flask.demo.run import run

    run(database=database, keep=keep, as_json=as_json)
