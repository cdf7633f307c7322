"""Tests of the rules that hold headers against what the user agent claims."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mailnod.model import Classification, Verdict

HOME = "84.10.20.30"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:142.0) Gecko/20100101 Firefox/142.0"


def test_a_complete_set_speaks_for_a_person(
    judge_one: Callable[..., Verdict], chrome: str, chrome_headers: dict[str, str]
) -> None:
    """All that Chrome sends is there, and nothing contradicts it."""
    assert judge_one(chrome, headers=chrome_headers, ip=HOME).reason_codes == ("header.complete",)


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("sec-ch-ua-platform", '"Linux"', "header.other_system"),
        ("sec-ch-ua", '"Chromium";v="104", "Google Chrome";v="104"', "header.other_version"),
        ("sec-ch-ua", '"HeadlessChrome";v="140", "Chromium";v="140"', "header.headless"),
    ],
)
def test_client_hints_that_contradict_the_agent_are_forged(
    judge_one: Callable[..., Verdict], chrome: str, chrome_headers: dict[str, str], name: str, value: str, code: str
) -> None:
    """A browser never contradicts itself; a script that borrowed its name does."""
    verdict = judge_one(chrome, headers={**chrome_headers, name: value}, ip=HOME)
    assert verdict.classification is Classification.SUSPICIOUS
    assert verdict.reason_codes[0] == code


def test_firefox_sends_no_client_hints(judge_one: Callable[..., Verdict], chrome_headers: dict[str, str]) -> None:
    """Hints beside Firefox's name are Chromium's: the name is borrowed."""
    assert "header.foreign_hints" in judge_one(FIREFOX, headers=chrome_headers, ip=HOME).reason_codes


@pytest.mark.parametrize(
    ("without", "code"),
    [
        ("accept-language", "header.no_language"),
        ("sec-fetch-mode", "header.no_fetch_metadata"),
        ("accept-encoding", "header.no_brotli"),
    ],
)
def test_one_missing_header_is_doubt_and_no_proof(
    judge_one: Callable[..., Verdict], chrome: str, chrome_headers: dict[str, str], without: str, code: str
) -> None:
    """Extensions and middleboxes drop headers; one that is missing condemns nobody."""
    headers = {name: value for name, value in chrome_headers.items() if name != without}
    verdict = judge_one(chrome, headers=headers, ip=HOME)
    assert not verdict.machine
    assert verdict.reason_codes == (code,)


def test_missing_client_hints_are_seen_where_fetch_metadata_is_missing_too(
    judge_one: Callable[..., Verdict], chrome: str
) -> None:
    """Over plain HTTP and in web views Chrome sends no hints; they are missed only in a bare request."""
    headers = {"accept": "text/html,application/xhtml+xml", "accept-language": "de", "accept-encoding": "gzip, br"}
    assert "header.no_client_hints" in judge_one(chrome, headers=headers, ip=HOME).reason_codes


def test_a_navigation_that_takes_anything_is_scripted(
    judge_one: Callable[..., Verdict], chrome: str, chrome_headers: dict[str, str]
) -> None:
    """Browsers ask for HTML by name when they follow a link."""
    codes = judge_one(chrome, headers={**chrome_headers, "accept": "*/*"}, ip=HOME).reason_codes
    assert codes[0] == "header.any_accept"


def test_a_closed_connection_is_scripted(
    judge_one: Callable[..., Verdict], chrome: str, chrome_headers: dict[str, str]
) -> None:
    """Browsers keep connections open."""
    codes = judge_one(chrome, headers={**chrome_headers, "connection": "close"}, ip=HOME).reason_codes
    assert "header.connection_close" in codes


def test_no_headers_at_all_are_no_browser(judge_one: Callable[..., Verdict], chrome: str) -> None:
    """An empty set was captured and is evidence; one that was not captured is none."""
    assert judge_one(chrome, headers={}, ip=HOME).machine
    assert judge_one(chrome, headers={"user-agent": chrome}, ip=HOME).machine
    assert not judge_one(chrome, headers=None, ip=HOME).machine


def test_hints_alone_were_kept_by_someone_else(judge_one: Callable[..., Verdict], chrome: str) -> None:
    """Where only hints were captured, what is missing says nothing."""
    headers = {"sec-ch-ua": '"Chromium";v="140"', "sec-ch-ua-platform": '"Windows"'}
    assert judge_one(chrome, headers=headers, ip=HOME).reason_codes == ()


def test_a_mail_client_need_not_navigate(judge_one: Callable[..., Verdict]) -> None:
    """Outlook loads images with the headers of a library, and is a person's."""
    agent = "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Trident/7.0; Microsoft Outlook 16.0.9; ms-office)"
    verdict = judge_one(agent, kind="open", headers={"accept": "*/*", "accept-encoding": "gzip, deflate"}, ip=HOME)
    assert (verdict.classification, verdict.client_name) == (Classification.GENUINE, "Outlook")
