"""Tests of the command that judges single requests."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from mailnod.cli.classify import classify

GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


def run(*arguments: str, lines: str = "") -> Result:
    """Run the command as a person or a program would."""
    return CliRunner().invoke(classify, list(arguments), input=lines)


def test_a_row_gets_one_line_in_answer() -> None:
    """Each line is answered by one line with its id, in order."""
    rows = [{"id": "a", "ua": GMAIL, "kind": "open"}, {"id": "b", "ua": "curl/8.0", "kind": "click"}]
    result = run("--jsonl", lines="\n".join(json.dumps(row) for row in rows) + "\n")
    answers = [json.loads(line) for line in result.output.splitlines()]
    assert result.exit_code == 0
    assert [answer["id"] for answer in answers] == ["a", "b"]
    assert [answer["machine"] for answer in answers] == [False, True]
    assert answers[0]["classification"] == "image_proxy"


def test_a_bad_line_is_answered_by_an_error_and_the_rest_goes_on() -> None:
    """A line that is no object spoils the exit status, not its neighbours."""
    result = run("--jsonl", lines='{"id": 1, "ua": ""}\n{nonsense\n[]\n{"id": 2, "headers": 7}\n{"id": 3, "ua": ""}\n')
    answers = [json.loads(line) for line in result.output.splitlines()]
    assert result.exit_code == 1
    assert ["error" in answer for answer in answers] == [False, True, True, True, False]


def test_an_absent_key_is_not_an_empty_value() -> None:
    """What a row does not hold was not captured; an empty user agent was."""
    result = run("--jsonl", lines='{"kind": "open"}\n{"kind": "open", "ua": ""}\n')
    assert [json.loads(line)["machine"] for line in result.output.splitlines()] == [False, True]


def test_a_scenario_is_judged_with_all_of_it_in_sight() -> None:
    """Each observation of a sequence gets a verdict, made with the others in its window."""
    links = [f"https://example.com/{number}" for number in range(4)]
    agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:142.0) Gecko/20100101 Firefox/142.0"
    observations = [
        {"t": 5 + number / 2, "kind": "click", "link": link, "ip": "84.1.2.3", "ua": agent, "method": "GET"}
        for number, link in enumerate(links)
    ]
    row = {"name": "burst", "sent_at": "2026-09-01T09:00:00Z", "links": links, "observations": observations}
    result = run("--jsonl", "--scenarios", lines=json.dumps(row) + "\n")
    answer = json.loads(result.output)
    assert answer["name"] == "burst"
    assert [one["machine"] for one in answer["observations"]] == [True] * 4


def test_a_person_reads_a_table_with_reasons() -> None:
    """Without --jsonl the verdict is printed for a person."""
    result = run("--ua", GMAIL, "--ip", "66.249.84.1", "--header", "Accept: image/*")
    assert result.exit_code == 0
    assert "image_proxy" in result.output
    assert "ua.gmail_proxy" in result.output


def test_json_prints_the_whole_verdict() -> None:
    """--json prints every field of the verdict."""
    verdict = json.loads(run("--ua", "curl/8.0", "--kind", "click", "--json").output)
    assert verdict["classification"] == "generic_bot"
    assert verdict["client_type"] == "library"


def test_a_malformed_header_is_refused() -> None:
    """A header without a colon is a mistake that the message shows."""
    result = run("--ua", "x", "--header", "Accept")
    assert result.exit_code == 2
    assert "'Accept'" in result.output


def test_nothing_to_judge_is_refused() -> None:
    """Without a fact there is nothing to say."""
    assert run().exit_code == 2
    assert run("--scenarios").exit_code == 2


def test_user_agent_may_stand_among_the_headers() -> None:
    """Where --ua is absent, the header of that name is the user agent; --ua goes before it."""
    arguments = ("--header", "User-Agent: curl/8.0", "--kind", "click", "--json")
    assert json.loads(run(*arguments).output)["client_type"] == "library"
    assert json.loads(run(*arguments, "--ua", GMAIL).output)["client_name"] != "curl"


@pytest.mark.parametrize(
    ("row", "nearest"),
    [
        ({"user_agent": "curl/8.0"}, "'ua'"),
        ({"header": {}}, "'headers'"),
        ({"seconds_after_sending": 4}, "'seconds_after_send'"),
        ({"remote_addr": "192.0.2.1"}, "'ip'"),
    ],
)
def test_misspelt_key_is_answered_by_the_nearest(row: dict[str, object], nearest: str) -> None:
    """A key that was probably meant to be one of ours is an error and not ignored."""
    result = run("--jsonl", lines=json.dumps({"id": 1, **row}))
    assert result.exit_code == 1
    assert f"did you mean {nearest}" in json.loads(result.stdout)["error"]


def test_key_that_nobody_could_mean_is_said_once() -> None:
    """Any other key has no effect, and a warning says so once, beside the answers."""
    result = run("--jsonl", lines='{"ua": "", "colour": 1}\n{"ua": "", "colour": 2, "note": "x"}\n')
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 2
    assert result.stderr == "Warning: the key 'colour' is not known and has no effect.\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ip", "bogus"], "'bogus' is not an IP address"),
        (["--ua", "x", "--after", "-5"], "-5"),
        (["--jsonl", "--ua", "x"], "--ua describes one request"),
        (["--jsonl", "--kind", "open"], "--kind describes one request"),
    ],
)
def test_wrong_calls_are_refused(arguments: list[str], message: str) -> None:
    """A value that cannot be, and options that do not go together, end with 2 and are named."""
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.output


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({}, "a scenario needs 'links', 'observations', 'sent_at'"),
        ({"sent_at": "noon", "links": [], "observations": []}, "'sent_at' is 'noon'"),
        ({"sent_at": "2026-01-01", "links": [], "observations": [{"kind": "open"}]}, "observation 0: needs 't'"),
        ({"sent_at": "2026-01-01", "links": [], "observations": [7]}, "observation 0: is 7"),
        ({"sent_at": "2026-01-01", "links": 7, "observations": []}, "'links' must be a list"),
        ({"sent_at": "2026-01-01", "links": [], "observations": [{"t": "soon"}]}, "observation 0: 't' is 'soon'"),
    ],
)
def test_bad_scenario_is_answered_in_words(line: dict[str, object], message: str) -> None:
    """What is missing or wrong in a scenario is named, and no Python error shows."""
    result = run("--jsonl", "--scenarios", lines=json.dumps(line))
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"].startswith(message)


def test_help_shows_the_formats() -> None:
    """Who pipes lines finds their form in the help."""
    shown = run("--help").output
    for key in ("seconds_after_send", "sent_at", "observations"):
        assert f'"{key}"' in shown
