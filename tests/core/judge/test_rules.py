"""Each rule on a request that it is made for, so that none falls silent unseen."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from mailnod.judge.classify import Judge
from mailnod.model import Observation, Verdict, Window

EDGE_42 = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 "
    "Safari/537.36 Edge/12.246 Mozilla/5.0"
)
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
PHONE = CHROME.replace("Windows NT 10.0; Win64; x64", "Linux; Android 14; K").replace(" Safari", " Mobile Safari")
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
UKRNET = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (via secureurl.fwdcdn.com - mail.ukr.net proxy)"


@pytest.mark.parametrize(
    ("code", "classification", "agent", "request_"),
    [
        ("header.none", "suspicious", CHROME, {"headers": {"host": "app.example"}}),
        ("header.prefetch", "privacy_proxy", CHROME, {"headers": {"sec-purpose": "prefetch;prerender"}}),
        ("method.other", "security_scanner", CHROME, {"method": "OPTIONS"}),
        ("ip.azure", "suspicious", CHROME, {"ip": "20.40.1.1"}),
        ("ip.google", "suspicious", CHROME, {"ip": "66.249.84.1"}),
        ("ip.mail_gateway", "unverified_click", CHROME, {"ip": "64.235.144.1"}),
        ("ip.mail_transport", "security_scanner", CHROME, {"ip": "104.47.1.1"}),
        ("ip.phone_in_cloud", "suspicious", PHONE, {"ip": "52.1.1.1"}),
        ("time.early", "suspicious", CHROME, {"ip": "52.1.1.1", "after_s": 4}),
        ("time.late", "suspicious", CHROME, {"ip": "20.40.1.1", "after_s": 700}),
        ("ua.signed", "suspicious", CHROME.replace("(Windows", "(example; Windows"), {}),
        ("ip.foreign_proxy", "suspicious", GMAIL, {"kind": "open", "ip": "52.1.1.1"}),
        ("ip.relay_carrier", "privacy_proxy", "Mozilla/5.0", {"kind": "open", "ip": "104.16.1.1"}),
        ("ua.bare_mozilla", "suspicious", "Mozilla/5.0", {"kind": "open", "ip": "84.1.1.1"}),
        ("ua.apple_mpp", "privacy_proxy", "Mozilla/5.0", {"kind": "open", "ip": "104.28.1.1"}),
        ("ua.clicking_proxy", "suspicious", GMAIL, {"ip": "66.249.84.1"}),
        ("ua.gmail_prefetch", "privacy_proxy", EDGE_42, {"kind": "open", "ip": "66.249.84.1"}),
        ("ua.gmail_proxy", "image_proxy", GMAIL, {"kind": "open", "ip": "66.249.84.1"}),
        ("ua.yahoo_proxy", "image_proxy", "YahooMailProxy; https://help.yahoo.com/", {"kind": "open"}),
        ("ua.rambler_proxy", "image_proxy", "RamblerMail/6.0 (incompatible; ImageProxy/6.0)", {"kind": "open"}),
        ("ua.seznam_proxy", "image_proxy", "Mozilla/5.0 SeznamEmailProxy/2.0.174", {"kind": "open"}),
        ("ua.shortwave_proxy", "image_proxy", "Shortwave Image Fetcher", {"kind": "open"}),
        ("ua.ukrnet_proxy", "image_proxy", UKRNET, {"kind": "open"}),
    ],
)
def test_rule_speaks_where_it_is_meant_to(
    judge_one: Callable[..., Verdict], code: str, classification: str, agent: str, request_: dict[str, Any]
) -> None:
    """The rule's code is among the reasons, and the verdict is the one that it leads to."""
    verdict = judge_one(agent, **request_)
    assert code in verdict.reason_codes
    assert verdict.classification == classification


def test_two_links_in_a_second_are_no_reader(
    judge_all: Callable[..., list[Verdict]], observe: Callable[..., Observation]
) -> None:
    """Right after sending, two links at once are a scanner's, though they are fewer than a burst."""
    pair = [observe(CHROME, ip="84.1.1.1", after_s=10 + link / 2, link=link) for link in range(2)]
    assert all("window.early_pair" in verdict.reason_codes for verdict in judge_all(*pair))


def test_open_before_speaks_for_the_click(
    judge_all: Callable[..., list[Verdict]], observe: Callable[..., Observation]
) -> None:
    """Who loaded the mail from the same address and then clicked has read it."""
    opened = observe(CHROME, ip="84.1.1.1", kind="open", after_s=100)
    verdicts = judge_all(opened, observe(CHROME, ip="84.1.1.1", after_s=130))
    assert "window.opened_before" in verdicts[1].reason_codes


def test_huge_fields_are_judged(
    judge_one: Callable[..., Verdict],
) -> None:
    """A megabyte in each field that a client writes is a verdict, and is not remembered as a whole."""
    huge = "x;(, " * 200_000
    headers = dict.fromkeys(("accept", "accept-language", "sec-ch-ua", "sec-ch-ua-platform", "x-requested-with"), huge)
    for kind in ("open", "click"):
        verdict = judge_one(f"{CHROME} {huge}", kind=kind, ip=huge, method=huge[:20], headers=headers)
        assert 0 <= verdict.probability <= 100


def test_what_is_remembered_is_bounded(
    judge: Judge, observe: Callable[..., Observation], look_around: Callable[..., Window]
) -> None:
    """Hits of hundreds of headers, each of one character, are judged and not kept."""
    names = [f"sec-fetch-{first}{second}" for first in "abcdefghijklmnopqr" for second in "abcdefghijklmnopqr"]

    def judge_many(numbers: range) -> int:
        before = tracemalloc.get_traced_memory()[0]
        for number in numbers:
            headers = {"".join(list(name)): "x" for name in names}
            opened = observe(f"{CHROME} {number}", kind="open", ip="84.1.1.1", headers=headers)
            judge.classify(opened, look_around(opened))
        return tracemalloc.get_traced_memory()[0] - before

    tracemalloc.start()
    try:
        judge_many(range(10))
        assert judge_many(range(10, 110)) < 100 * 8192
    finally:
        tracemalloc.stop()
