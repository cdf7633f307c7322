"""Tests of the rules for mailbox proxies."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mailnod.model import Classification, Verdict

GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/42.0.2311.135 Safari/537.36 Edge/12.246"
)
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)
RELAY = "172.225.1.2"


def test_gmails_name_from_a_rented_server_is_forged(judge_one: Callable[..., Verdict]) -> None:
    """Google's proxy asks from Google's networks; elsewhere its name is borrowed."""
    verdict = judge_one(GMAIL, kind="open", ip="52.1.2.3")
    assert (verdict.classification, verdict.proxy_type) == (Classification.SUSPICIOUS, None)


def test_gmails_prefetch_is_no_open(judge_one: Callable[..., Verdict]) -> None:
    """The tail "Mozilla/5.0" tells Gmail's fetch at delivery from the browser whose name it bears."""
    verdict = judge_one(f"{EDGE} Mozilla/5.0", kind="open", ip="108.177.2.32")
    assert (verdict.classification, verdict.proxy_type) == (Classification.PRIVACY_PROXY, "gmail")


def test_the_old_edge_itself_is_a_person(judge_one: Callable[..., Verdict]) -> None:
    """Without the tail it is a person's old browser."""
    assert not judge_one(EDGE, kind="open", ip="84.1.2.3").machine


@pytest.mark.parametrize(
    ("agent", "proxy"),
    [
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", "yahoo"),
        ("RamblerMail/6.0 (incompatible; ImageProxy/6.0)", None),
        ("Mozilla/5.0 SeznamEmailProxy/2.0.174", None),
        ("Mozilla/5.0 (via secureurl.fwdcdn.com - mail.ukr.net proxy)", None),
    ],
)
def test_proxies_of_other_providers_count_as_opens(
    judge_one: Callable[..., Verdict], agent: str, proxy: str | None
) -> None:
    """A provider's image proxy is a person's open without a device."""
    verdict = judge_one(agent, kind="open")
    assert (verdict.classification, verdict.proxy_type) == (Classification.IMAGE_PROXY, proxy)
    assert verdict.device_type is None


def test_mail_privacy_protection_is_no_open(judge_one: Callable[..., Verdict]) -> None:
    """The bare agent from Apple's relay is a fetch that no person asked for."""
    verdict = judge_one("Mozilla/5.0", kind="open", ip=RELAY)
    assert (verdict.classification, verdict.proxy_type) == (Classification.PRIVACY_PROXY, "apple_mpp")


def test_a_browser_through_apples_relay_is_a_person(judge_one: Callable[..., Verdict]) -> None:
    """The relay's address alone makes no machine."""
    verdict = judge_one(SAFARI, ip=RELAY)
    assert (verdict.machine, verdict.proxy_type, verdict.device_type) == (False, "apple_private_relay", "mobile")


def test_a_library_through_apples_relay_stays_a_machine(judge_one: Callable[..., Verdict]) -> None:
    """The relay's address excuses nothing either."""
    assert judge_one("python-requests/2.32", ip=RELAY).classification is Classification.GENERIC_BOT


def test_the_bare_agent_elsewhere_is_suspicious(judge_one: Callable[..., Verdict]) -> None:
    """Outside Apple's relay nothing honest stops after "Mozilla/5.0", and it must not be called Apple's."""
    verdict = judge_one("Mozilla/5.0", kind="open", ip="84.1.2.3")
    assert (verdict.classification, verdict.proxy_type) == (Classification.SUSPICIOUS, None)


def test_the_bare_agent_from_a_carrier_of_the_relay_is_a_privacy_proxy(judge_one: Callable[..., Verdict]) -> None:
    """Apple's list of exits ages faster than its choice of carriers."""
    verdict = judge_one("Mozilla/5.0", kind="open", ip="172.236.1.1")
    assert verdict.classification is Classification.PRIVACY_PROXY


def test_an_image_proxy_follows_no_links(judge_one: Callable[..., Verdict]) -> None:
    """A click in the name of an image proxy is somebody else's."""
    assert judge_one(GMAIL, kind="click", ip="66.249.84.1").classification is Classification.SUSPICIOUS
