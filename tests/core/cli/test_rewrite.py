"""Tests of ``mailnod rewrite``."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mailnod.cli.context import CliContext
from mailnod.cli.main import cli

CASES = [json.loads(line) for line in (Path(__file__).parents[2] / "data" / "cases.jsonl").read_text().splitlines()]
BASE = "https://track.example.test"
LINK = "<a href='https://e.example/?a=1&amp;b=2'>x</a>"


def run(*arguments: str, text: str | bytes = "", keys: str | None = "k" * 40) -> Result:
    """Run the command as a person or a program would."""
    environ = {} if keys is None else {"MAILNOD_SECRET_KEYS": keys}
    return CliRunner().invoke(cli, ["rewrite", *arguments], input=text, obj=CliContext(environ=environ))


def answer_rows(*rows: Any, arguments: tuple[str, ...] = ("--base-url", BASE)) -> list[dict[str, Any]]:
    """Return the answers to rows of ``--jsonl``."""
    result = run("--jsonl", *arguments, text="".join(f"{json.dumps(row)}\n" for row in rows))
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_every_case_is_answered_in_order() -> None:
    """Rows are answered one by one, with message before bytes before text."""
    answers = answer_rows(*CASES)
    assert [answer["id"] for answer in answers] == [case["id"] for case in CASES]
    for case, answer in zip(CASES, answers, strict=True):
        form = next(name for name in ("mime", "bytes_b64", "html") if name in case)
        assert list(answer) == ["id", form, "links", "pixel", "restored"]
        assert [link["url"] for link in answer["links"] if link["tracked"]] == case["expect"]["tracked"]
        assert answer["pixel"] == case["expect"]["pixel"]
        assert answer["restored"] is True


@pytest.mark.parametrize(
    ("options", "tracked", "pixel"),
    [
        ({}, True, "end"),
        ({"opens": False}, True, "none"),
        ({"clicks": False}, False, "end"),
        ({"consent": "granted"}, True, "end"),
        ({"consent": "denied"}, False, "none"),
        ({"consent": "unknown"}, False, "none"),
        ({"list_unsubscribe": "<https://e.example/?a=1&b=2>"}, False, "end"),
    ],
)
def test_options_of_a_row(options: dict[str, Any], tracked: bool, pixel: str) -> None:
    """A row's options decide; consent that is not granted goes before all."""
    (answer,) = answer_rows({"id": 1, "html": LINK, "options": options})
    assert [link["tracked"] for link in answer["links"]] == [tracked]
    assert answer["pixel"] == pixel


def test_base_url_of_a_row_goes_before_the_flag() -> None:
    """Each row can name its own collector."""
    (answer,) = answer_rows({"id": 1, "html": LINK, "options": {"base_url": "https://own.example/t/"}})
    assert "https://own.example/t/c/" in answer["html"]
    assert BASE not in answer["html"]


def test_other_parts_stay() -> None:
    """A row that is no HTML part comes back as it is."""
    (answer,) = answer_rows({"id": 1, "html": LINK, "part": "text/x-amp-html"})
    assert answer["html"] == LINK


def test_a_bad_row_is_answered_by_an_error_and_the_rest_goes_on() -> None:
    """A row that cannot be read or edited spoils the exit status, not its neighbours."""
    rows = ["{nonsense", "[]", '{"id": 1}', '{"id": 2, "html": "x", "options": 3}', '{"id": 3, "bytes_b64": "?"}']
    rows += ['{"id": 4, "html": "x", "options": {"base_url": 7}}', json.dumps({"id": 5, "html": "<a href=x>" * 10_002})]
    result = run("--jsonl", "--base-url", BASE, text="\n".join([*rows, "", '{"id": 6, "html": ""}\n']))
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert ["error" in answer for answer in answers] == [True] * 7 + [False]
    assert [answer["id"] for answer in answers] == [None, None, 1, 2, 3, 4, 5, 6]
    assert result.exit_code == 1


def test_html_file_goes_to_standard_output_and_its_links_to_standard_error(tmp_path: Path) -> None:
    """A person sees the edited bytes on one stream and what was done on the other."""
    path = tmp_path / "mail.html"
    path.write_bytes(b"<p>\xff</p>" + LINK.encode() + b"<a href='mailto:x'>y</a>")
    result = run(str(path), "--base-url", BASE)
    assert result.exit_code == 0
    assert b"<p>\xff</p><a href='https://track.example.test/c/" in result.stdout_bytes
    assert "scheme not http(s)" in result.stderr
    assert "Pixel: end" in result.stderr


def test_message_is_told_by_its_head() -> None:
    """Standard input that begins like a message is read as one."""
    message = f"Subject: x\r\nContent-Type: text/html\r\n\r\n{LINK}\r\n"
    result = run("-", "--base-url", BASE, "--no-opens", text=message.encode())
    assert result.stdout_bytes.startswith(b"Subject: x\r\nContent-Type: text/html\r\n\r\n<a href='https://track.")
    assert b".gif" not in result.stdout_bytes


def test_json_of_one_file() -> None:
    """With --json the object goes to standard output and nothing else."""
    result = run("-", "--json", "--base-url", BASE, "--no-clicks", text=LINK)
    answer = json.loads(result.stdout)
    assert answer["html"].startswith(LINK)
    assert [link["reason"] for link in answer["links"]] == ["clicks off"]
    assert [LINK[link["start"] : link["end"]] for link in answer["links"]] == ["https://e.example/?a=1&amp;b=2"]
    assert result.stderr == ""


def test_bytes_come_back_in_their_charset() -> None:
    """A row of bytes is answered in bytes."""
    data = "<p>é</p>".encode("utf-16-le")
    (answer,) = answer_rows({"id": 1, "bytes_b64": base64.b64encode(data).decode(), "charset": "utf-16le"})
    assert base64.b64decode(answer["bytes_b64"]).startswith(data)


def test_preview_needs_no_lasting_key() -> None:
    """Without a secret a key for once signs, which standard error says and standard output does not."""
    result = run("-", "--base-url", BASE, "--json", text=LINK, keys=None)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["restored"] is True
    assert "MAILNOD_SECRET_KEYS is not set" in result.stderr


def test_secret_is_that_of_the_environment() -> None:
    """Where MAILNOD_SECRET_KEYS is set, it signs: the same link bears the same tag again."""
    pages = [re.search(r"\.0\.([\w-]{16})\?u=", run("-", "--base-url", BASE, text=LINK).stdout) for _ in range(2)]
    assert pages[0] is not None
    assert pages[1] is not None
    assert pages[0][1] == pages[1][1]


def test_missing_base_url_is_named() -> None:
    """Without a base URL the message says what to give."""
    result = run("-", text="<p>")
    assert result.exit_code == 2
    assert "--base-url" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-", "--json", "--jsonl"], "--json and --jsonl exclude each other"),
        (["a.eml", "b.eml"], "need --output-dir"),
        (["a.mbox"], "needs --output-dir"),
        (["--output-dir", "out"], "--output-dir needs FILEs"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    """Calls whose outcome nobody could guess end with 2 and say what to do."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.eml", "b.eml", "a.mbox"):
        Path(name).touch()
    result = run(*arguments, "--base-url", BASE)
    assert result.exit_code == 2
    assert message in result.output


MESSAGE = f"Subject: x\r\nContent-Type: text/html\r\n\r\n{LINK}\r\n"


def test_several_files_are_written_into_a_folder(tmp_path: Path) -> None:
    """Each file is rewritten under its own name, and nothing is written over."""
    (tmp_path / "a.eml").write_bytes(MESSAGE.encode())
    (tmp_path / "b.html").write_text(LINK)
    arguments = [str(tmp_path / "a.eml"), str(tmp_path / "b.html"), "--base-url", BASE]
    result = run(*arguments, "--output-dir", str(tmp_path / "out"), "--json")
    assert result.exit_code == 0, result.output
    assert [one["items"] for one in json.loads(result.stdout)] == [1, 1]
    for name in ("a.eml", "b.html"):
        assert f"{BASE}/c/" in (tmp_path / "out" / name).read_text()
    again = run(*arguments, "--output-dir", str(tmp_path / "out"))
    assert again.exit_code == 2
    assert "written over" in again.stderr


def test_mailbox_is_rewritten_message_by_message(tmp_path: Path) -> None:
    """Separators stay where they are, and a message that cannot be edited stays as it is and is named."""
    bad = "From c Thu Jan  1 00:00:02 2026\nContent-Type: text/html\n\n" + "<a href=x>" * 10_002 + "\n\n"
    messages = [f"From {c} Thu Jan  1 00:00:01 2026\n{MESSAGE}\n".replace("\r", "") for c in "ab"]
    (tmp_path / "a.mbox").write_text("".join([messages[0], bad, messages[1]]))
    result = run(str(tmp_path / "a.mbox"), "--base-url", BASE, "--no-opens", "--output-dir", str(tmp_path / "out"))
    assert result.exit_code == 1
    assert "left as it is" in result.stderr
    written = (tmp_path / "out" / "a.mbox").read_text()
    assert [written.count("\nSubject: x\n"), written.count(f"{BASE}/c/")] == [2, 2]
    assert bad in written
    assert re.findall("^From (.)", written, re.MULTILINE) == ["a", "c", "b"]


def test_short_links_are_shown() -> None:
    """--link-style short shows links that hold a token and a number alone."""
    result = run("--base-url", BASE, "--link-style", "short", "--json", text=LINK)
    answer = json.loads(result.stdout)
    assert re.search(rf"href='{BASE}/c/[\w-]{{32}}\.0'", answer["html"])
    assert answer["restored"] is True
