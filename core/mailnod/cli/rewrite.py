"""``mailnod rewrite``: show what would leave instead of an HTML text or a message; nothing is sent or stored."""

from __future__ import annotations

import base64
import json
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from mailnod.cli.context import CliContext, pass_cli
from mailnod.cli.output import clean, count, make_console, make_table, print_json
from mailnod.cli.rewrite_files import write_files
from mailnod.errors import ConfigurationError, RewriteError
from mailnod.html.encoded import EncodedHtml, decode_html
from mailnod.html.plan import Plan, compile_plan
from mailnod.model import LinkStyle, Mode
from mailnod.send.files import is_message
from mailnod.send.mime import RawMessage, read_message
from mailnod.tokens import Key, Keyring, KeyState, new_secret

__all__ = ["rewrite"]

#: How long a previewed token records; the same as a route's default.
_TOKEN_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What one text or message is rewritten with."""

    base_url: str | None
    opens: bool
    clicks: bool
    list_unsubscribe: str | None = None
    link_style: LinkStyle = "portable"

    def override(self, options: Mapping[str, Any]) -> Wishes:
        """Return the wishes of one row; its options go before the flags, and consent that is not granted before all."""
        granted = options.get("consent", "granted") == "granted"
        return Wishes(
            base_url=options.get("base_url", self.base_url),
            opens=granted and options.get("opens", self.opens) is True,
            clicks=granted and options.get("clicks", self.clicks) is True,
            list_unsubscribe=options.get("list_unsubscribe", self.list_unsubscribe),
            link_style=self.link_style,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """The outcome for one text or message."""

    #: "html", "bytes_b64" or "mime", and the value under that name.
    form: str
    value: str
    plans: Sequence[Plan]
    restored: bool

    def describe(self) -> dict[str, Any]:
        """Return the answer as JSON knows it; offsets of links are characters of the part that they stand in."""
        links = [
            {name: getattr(link, name) for name in ("index", "url", "tracked", "reason", "start", "end")}
            for plan in self.plans
            for link in plan.links
        ]
        pixel = self.plans[0].pixel if self.plans else "none"
        return {self.form: self.value, "links": links, "pixel": pixel, "restored": self.restored}


class Rewriter:
    """Rewrites with one keyring and one token, as for one recipient."""

    def __init__(self, keyring: Keyring, token: str) -> None:
        self._keyring = keyring
        self._token = token

    def rewrite_html(self, html: str, wishes: Wishes) -> Rewritten:
        """Rewrite decoded HTML."""
        plan = self._compile(html, wishes)
        filled = plan.fill(self._token)
        return Rewritten(form="html", value=filled, plans=[plan], restored=plan.restore(filled) == html)

    def rewrite_bytes(self, html: EncodedHtml, wishes: Wishes) -> Rewritten:
        """Rewrite HTML in its own charset."""
        plan = self._compile(html.text, wishes)
        filled = html.fill(plan, self._token)
        restored = plan.restore(filled.decode(html.codec, html.errors)).encode(html.codec, html.errors)
        value = base64.b64encode(filled).decode("ascii")
        # A charset can write one text in several ways; what counts is that it reads the same.
        same = restored == html.data or restored.decode(html.codec, html.errors) == html.text
        return Rewritten(form="bytes_b64", value=value, plans=[plan], restored=same)

    def rewrite_message(self, message: RawMessage, wishes: Wishes) -> Rewritten:
        """Rewrite the HTML bodies of a message; its own ``List-Unsubscribe`` counts where no option names one."""
        if wishes.list_unsubscribe is None:
            wishes = wishes.override({"list_unsubscribe": message.list_unsubscribe})
        plans = [self._compile(part.html.text, wishes) for part in message.parts]
        filled = message.fill(plans, self._token)
        texts = [part.html.text for part in read_message(filled).parts]
        restored = all(
            plan.restore(text) == part.html.text for plan, text, part in zip(plans, texts, message.parts, strict=True)
        )
        return Rewritten(form="mime", value=filled.decode("utf-8", "surrogateescape"), plans=plans, restored=restored)

    def rewrite_row(self, row: Mapping[str, Any], wishes: Wishes) -> Rewritten:
        """Rewrite one row of ``--jsonl``: its message before its bytes before its text."""
        options = row.get("options") or {}
        if not isinstance(options, dict):
            raise ValueError(f"options must be an object, not {options!r}")
        wishes = wishes.override(options)
        if row.get("part", "text/html") != "text/html":
            wishes = Wishes(base_url=wishes.base_url, opens=False, clicks=False)
        if isinstance(row.get("mime"), str):
            return self.rewrite_message(read_message(row["mime"].encode("utf-8", "surrogateescape")), wishes)
        if isinstance(row.get("bytes_b64"), str):
            return self.rewrite_bytes(
                decode_html(base64.b64decode(row["bytes_b64"], validate=True), row.get("charset")), wishes
            )
        if isinstance(row.get("html"), str):
            return self.rewrite_html(row["html"], wishes)
        raise ValueError("a row needs a text under 'mime', 'bytes_b64' or 'html'")

    def _compile(self, html: str, wishes: Wishes) -> Plan:
        if wishes.base_url is None:
            raise ConfigurationError("there is no base URL: give --base-url, for example https://app.example/t")
        return compile_plan(
            html,
            base_url=wishes.base_url,
            tag_link=self._keyring.tag_link,
            track_opens=wishes.opens,
            track_clicks=wishes.clicks,
            link_style=wishes.link_style,
            list_unsubscribe=wishes.list_unsubscribe,
        )


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE|-]...", type=click.Path(allow_dash=True, dir_okay=False, exists=True))
@click.option("--base-url", help="Where the collector is reached; MAILNOD_BASE_URL where it is not given.")
@click.option("--no-opens", is_flag=True, help="Add no pixel.")
@click.option("--no-clicks", is_flag=True, help="Leave links alone.")
@click.option(
    "--link-style",
    type=click.Choice(["portable", "short"]),
    default="portable",
    show_default=True,
    help="Whether links hold their destination, or a number that the store knows it by.",
)
@click.option(
    "--output-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write each FILE there under its name; for several files and for .mbox files.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result and every link as JSON.")
@click.option("--jsonl", is_flag=True, help="Read one JSON object per line, and answer each with one.")
@pass_cli
def rewrite(
    cli: CliContext,
    *,
    files: tuple[str, ...],
    base_url: str | None,
    no_opens: bool,
    no_clicks: bool,
    link_style: LinkStyle,
    output_dir: Path | None,
    as_json: bool,
    jsonl: bool,
) -> None:
    """Show how an HTML text or a message would leave.

    FILE is an .eml message or HTML; without it, or with "-", standard input is read. The result goes to standard
    output, a table of its links to standard error. Consent counts as granted, because nothing is sent. Links are
    signed with MAILNOD_SECRET_KEYS, or with a key for this preview alone where that is not set.
    """
    if as_json and jsonl:
        raise click.UsageError("--json and --jsonl exclude each other: --jsonl answers in JSON anyway.")
    if output_dir is not None and (jsonl or not files or "-" in files):
        raise click.UsageError("--output-dir needs FILEs, and neither '-' nor --jsonl.")
    if output_dir is None and len(files) > 1:
        raise click.UsageError("several files need --output-dir, where each is written under its own name.")
    if output_dir is None and files and files[0].endswith(".mbox"):
        raise click.UsageError("an .mbox file holds many messages, and needs --output-dir.")
    wishes = Wishes(
        base_url=base_url or cli.settings.base_url, opens=not no_opens, clicks=not no_clicks, link_style=link_style
    )
    rewriter = _make_rewriter(cli)
    if output_dir is not None:
        _write(files, output_dir, rewriter, wishes, as_json=as_json)
        return
    name = files[0] if files else "-"
    with click.open_file(name, "rb") as source:
        if jsonl:
            _answer_lines(source, rewriter, wishes)
            return
        data = source.read()
    if _is_message(data, name):
        _show(rewriter.rewrite_message(read_message(data), wishes), as_json=as_json)
    else:
        html = decode_html(data, None)
        _show(rewriter.rewrite_bytes(html, wishes), as_json=as_json, html=html)


def _is_message(data: bytes, name: str) -> bool:
    return name.endswith((".eml", ".mbox")) or is_message(data)


def _write(files: Sequence[str], folder: Path, rewriter: Rewriter, wishes: Wishes, *, as_json: bool) -> None:
    def rewrite_data(data: bytes) -> bytes:
        if is_message(data):
            return rewriter.rewrite_message(read_message(data), wishes).value.encode("utf-8", "surrogateescape")
        html = rewriter.rewrite_bytes(decode_html(data, None), wishes)
        return base64.b64decode(html.value)

    written = write_files([Path(name) for name in files], folder, rewrite_data)
    if as_json:
        print_json(written)
    else:
        items = sum(one.items for one in written)
        click.echo(f"{count(items, 'message or page', many='messages and pages')} in {folder}.", err=True)
        for one in written:
            for error in one.errors:
                click.echo(f"{one.file}: left as it is: {error}", err=True)
    if any(one.errors for one in written):
        sys.exit(1)


def _make_rewriter(cli: CliContext) -> Rewriter:
    keyring = cli.keyring
    if keyring is None:
        keyring = Keyring([Key(id=0, state=KeyState.SIGNING, secret=new_secret())])
        click.echo("MAILNOD_SECRET_KEYS is not set: a key for this preview alone signs its links.", err=True)
    token = keyring.sign(
        secrets.token_bytes(8),
        opens=Mode.INDIVIDUAL,
        clicks=Mode.INDIVIDUAL,
        expires_at=cli.clock.now() + timedelta(days=_TOKEN_DAYS),
    )
    return Rewriter(keyring, token)


def _answer_lines(source: Any, rewriter: Rewriter, wishes: Wishes) -> None:
    """Answer rows in order; a row that cannot be read or edited gets an error, and status 1 at the end."""
    failed = False
    for line in source:
        if line.strip():
            answer = _answer_line(line, lambda row: rewriter.rewrite_row(row, wishes).describe())
            failed = failed or "error" in answer
            click.echo(json.dumps(answer))
            sys.stdout.flush()
    if failed:
        sys.exit(1)


def _answer_line(line: bytes, answer: Callable[[Mapping[str, Any]], dict[str, Any]]) -> dict[str, Any]:
    identity = None
    try:
        row = json.loads(line)
        if not isinstance(row, dict):
            raise ValueError(f"a line must hold an object, not {type(row).__name__}")
        identity = row.get("id")
        return {"id": identity, **answer(row)}
    except (RewriteError, ConfigurationError, ValueError, TypeError, AttributeError, RecursionError) as error:
        return {"id": identity, "error": str(error) or type(error).__name__}


def _show(result: Rewritten, *, as_json: bool, html: EncodedHtml | None = None) -> None:
    answer = result.describe()
    if html is not None:
        # A person who gives a file of HTML wants text back, and bytes only on standard output.
        data = base64.b64decode(answer.pop("bytes_b64"))
        answer = {"html": data.decode(html.codec, html.errors), **answer}
    else:
        data = result.value.encode("utf-8", "surrogateescape")
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    click.echo(data, nl=False)
    if not data.endswith(b"\n") and sys.stdout.isatty():
        # What follows is for the same screen, and must not begin in the middle of a line.
        click.echo(err=True)
    _print_links(answer)


def _print_links(answer: Mapping[str, Any]) -> None:
    from rich.text import Text

    table = make_table("Links")
    table.add_column("#", justify="right")
    table.add_column("leads to", overflow="fold")
    table.add_column("what was done", overflow="fold")
    for link in answer["links"]:
        done = Text(clean(link["reason"]), style="green" if link["tracked"] else "yellow")
        table.add_row(str(link["index"]), Text(clean(link["url"])), done)
    console = make_console(stderr=True)
    if answer["links"]:
        console.print(table)
    console.print(f"Pixel: {answer['pixel']}. Restored exactly: {'yes' if answer['restored'] else 'no'}.")
