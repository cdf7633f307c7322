"""Tests of the verdict as a whole: order of the rules, the weighing, hostile input."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailnod.judge.classify import RULESET, Judge
from mailnod.judge.knowledge import read_table
from mailnod.model import Classification, Observation, Verdict, Window

GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


def test_a_person_with_every_header_is_genuine(
    judge_one: Callable[..., Verdict], chrome: str, chrome_headers: dict[str, str]
) -> None:
    """A browser at home that sends all that it should is a person's, and counts."""
    verdict = judge_one(chrome, headers=chrome_headers, ip="84.10.20.30")
    assert verdict.classification is Classification.GENUINE
    assert (verdict.machine, verdict.counts_for_metrics, verdict.detected) == (False, True, False)
    assert verdict.probability < 15
    assert (verdict.device_type, verdict.client_type, verdict.client_name) == ("desktop", "browser", "Chrome")
    assert verdict.ruleset == RULESET


def test_gmails_proxy_is_met_before_any_list_of_crawlers(judge_one: Callable[..., Verdict]) -> None:
    """Lists of crawlers hold GoogleImageProxy, yet it is a person's open, whose device stays unknown."""
    verdict = judge_one(GMAIL, kind="open", ip="66.249.84.1", headers={})
    assert (verdict.classification, verdict.proxy_type) == (Classification.IMAGE_PROXY, "gmail")
    assert verdict.counts_for_metrics
    assert verdict.device_type is None
    assert verdict.client_name == "Gmail"


def test_a_browser_without_captured_facts_is_unverified(judge_one: Callable[..., Verdict], chrome: str) -> None:
    """Where neither headers nor address were captured, a browser's click counts but is marked."""
    assert judge_one(chrome).classification is Classification.UNVERIFIED_CLICK


def test_nothing_captured_is_no_machine(judge_one: Callable[..., Verdict]) -> None:
    """None means not captured: it is no evidence."""
    assert not judge_one(None).machine


def test_an_empty_user_agent_is_a_machine(judge_one: Callable[..., Verdict]) -> None:
    """An empty user agent was captured, and no browser sends one."""
    assert judge_one("").classification is Classification.GENERIC_BOT


def test_a_head_request_is_never_a_person(judge_one: Callable[..., Verdict], chrome: str) -> None:
    """HEAD is what scanners ask with."""
    verdict = judge_one(chrome, method="HEAD")
    assert verdict.classification is Classification.SECURITY_SCANNER
    assert verdict.reason_codes[0] == "method.head"


@pytest.mark.parametrize("name", ["sec-purpose", "purpose", "x-moz"])
def test_a_prefetch_is_no_click(
    judge_one: Callable[..., Verdict], chrome: str, chrome_headers: dict[str, str], name: str
) -> None:
    """A browser that asks ahead of its person says so in a header, and is not counted."""
    verdict = judge_one(chrome, headers={**chrome_headers, name: "prefetch;prerender"})
    assert verdict.classification is Classification.PRIVACY_PROXY
    assert not verdict.counts_for_metrics


def test_a_scripted_browser_is_a_scanner(judge_one: Callable[..., Verdict], chrome: str) -> None:
    """A browser's name with a script's headers, at the link of one mail, is what guards the mailbox."""
    verdict = judge_one(chrome, ip="20.70.1.1", headers={"accept": "*/*", "connection": "close"}, after_s=6)
    assert verdict.classification is Classification.SECURITY_SCANNER
    assert verdict.probability > 80


def test_stripped_headers_alone_leave_a_person(judge_one: Callable[..., Verdict], chrome: str) -> None:
    """A privacy extension that strips headers raises doubt and does not condemn."""
    headers = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8", "accept-encoding": "gzip, br"}
    assert judge_one(chrome, headers=headers, ip="84.1.2.3").classification is Classification.UNVERIFIED_CLICK


def test_mail_transport_with_perfect_headers_is_a_scanner(
    judge_one: Callable[..., Verdict], chrome: str, chrome_headers: dict[str, str]
) -> None:
    """Nobody browses from Exchange Online's addresses seconds after delivery."""
    verdict = judge_one(chrome, headers=chrome_headers, ip="40.107.1.2", after_s=4)
    assert verdict.classification is Classification.SECURITY_SCANNER


def test_a_web_gateway_with_perfect_headers_is_unverified(
    judge_one: Callable[..., Verdict], chrome: str, chrome_headers: dict[str, str]
) -> None:
    """Vendors of mail gateways also sell web proxies to people: a late, complete request counts, and is marked."""
    verdict = judge_one(chrome, headers=chrome_headers, ip="85.158.137.1", after_s=90_000)
    assert verdict.classification is Classification.UNVERIFIED_CLICK
    assert verdict.counts_for_metrics


def test_a_web_proxy_of_people_changes_nothing(
    judge_one: Callable[..., Verdict], chrome: str, chrome_headers: dict[str, str]
) -> None:
    """Zscaler's addresses are those of people at work."""
    assert judge_one(chrome, headers=chrome_headers, ip="165.225.3.4").classification is Classification.GENUINE


def test_a_rented_server_with_perfect_headers_is_suspicious(
    judge_one: Callable[..., Verdict], chrome: str, chrome_headers: dict[str, str]
) -> None:
    """One complete desktop request from a rented server is more often a sandbox than a remote desktop."""
    verdict = judge_one(chrome, headers=chrome_headers, ip="52.1.2.3")
    assert verdict.classification is Classification.SUSPICIOUS
    assert 50 <= verdict.probability < 75


def test_speed_alone_condemns_nobody(
    judge_one: Callable[..., Verdict], chrome: str, chrome_headers: dict[str, str]
) -> None:
    """A person can tap four seconds after delivery."""
    assert not judge_one(chrome, headers=chrome_headers, ip="84.1.2.3", after_s=4).machine


def test_reasons_come_strongest_first(judge_one: Callable[..., Verdict], chrome: str) -> None:
    """The first reason is the one that weighs most."""
    verdict = judge_one(chrome, ip="52.1.2.3", headers={"accept": "*/*", "accept-encoding": "gzip"})
    assert verdict.reason_codes[0] == "ip.cloud"
    assert verdict.reason_codes[1] == "header.any_accept"


def test_a_megabyte_of_user_agent_is_judged_in_time(judge_one: Callable[..., Verdict]) -> None:
    """Hostile length costs nothing: what no client sends is not read."""
    started = time.perf_counter()
    for text in ("a" * (1 << 20), "(" * (1 << 20), "Mozilla/5.0 " * 90_000, "\x00" * (1 << 20), "bot/" * (1 << 18)):
        judge_one(text, headers={"accept": text, "sec-ch-ua": text}, ip=text)
    assert time.perf_counter() - started < 2


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    user_agent=st.none() | st.text(),
    ip=st.none() | st.text(max_size=40) | st.ip_addresses().map(str),
    method=st.sampled_from(["GET", "HEAD", "POST", ""]),
    headers=st.none()
    | st.dictionaries(
        st.sampled_from(["accept", "accept-language", "sec-ch-ua", "sec-ch-ua-platform", "purpose", "via", "x"]),
        st.text(),
    ),
    kind=st.sampled_from(["open", "click"]),
    after_s=st.floats(min_value=-1e6, max_value=1e8),
)
def test_any_input_gets_the_same_verdict_twice(
    judge: Judge,
    observe: Callable[..., Observation],
    look_around: Callable[..., Window],
    user_agent: str | None,
    ip: str | None,
    method: str,
    headers: dict[str, str] | None,
    kind: str,
    after_s: float,
) -> None:
    """Whatever a client sends, there is a verdict, and a second judge agrees with the first."""
    observation = observe(user_agent, ip=ip, method=method, headers=headers, kind=kind, after_s=after_s)
    window = look_around(observation)
    verdict = judge.classify(observation, window)
    assert verdict == judge.classify(observation, window)
    assert 0 <= verdict.probability <= 100
    assert verdict.machine is not verdict.counts_for_metrics


def test_lone_surrogates_are_no_error(judge_one: Callable[..., Verdict]) -> None:
    """Bytes that are no UTF-8 reach the judge as lone surrogates."""
    assert judge_one("Mozilla/5.0 (\udcff\ud800)").ruleset == RULESET


def test_the_evidence_is_laid_open(
    judge: Judge, observe: Callable[..., Observation], look_around: Callable[..., Window], chrome: str
) -> None:
    """Every reason of a verdict comes with its weight and its source, in the same order."""
    observation = observe(chrome, ip="52.1.2.3", headers={"accept": "*/*"})
    verdict, signals = judge.explain(observation, look_around(observation))
    assert tuple(signal.code for signal in signals) == verdict.reason_codes
    assert all(signal.source and signal.weight for signal in signals)


def test_a_judge_is_shared_between_threads(
    observe: Callable[..., Observation], look_around: Callable[..., Window]
) -> None:
    """Threads that ask a fresh judge at once wait for one set of tables and agree."""
    judge = Judge()
    observation = observe(GMAIL, kind="open", ip="66.249.84.1")
    window = look_around(observation)
    with ThreadPoolExecutor(4) as pool:
        verdicts = set(pool.map(lambda _: judge.classify(observation, window), range(16)))
    assert len(verdicts) == 1


@pytest.mark.parametrize("ip", ["40.112.1.1", "66.102.1.1"])
def test_networks_of_mailbox_owners_are_no_evidence_against_opens(
    judge_one: Callable[..., Verdict], chrome: str, chrome_headers: dict[str, str], ip: str
) -> None:
    """Microsoft and Google load images for their readers from their own networks; only clicks from there are odd."""
    headers = {**chrome_headers, "accept": "image/avif,image/webp,image/*,*/*;q=0.8"}
    verdict = judge_one(chrome, kind="open", headers=headers, ip=ip, after_s=5)
    assert (verdict.classification, verdict.probability) == (Classification.GENUINE, 1)


def test_the_judge_loads_its_engines_on_first_use() -> None:
    """Whoever sends mail or takes hits imports the judge and must not pay for its tables."""
    code = "import sys, mailnod.judge.classify as c; c.Judge(); print({'ua_parser', 'tomllib'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == "set()"


def test_tables_name_a_source_and_a_date_for_every_block() -> None:
    """A fact without a source cannot be checked again."""
    for name in ("networks", "machines"):
        blocks = [block for blocks in read_table(name).values() for block in blocks]
        assert all(block["source"] and isinstance(block["date"], date) for block in blocks)
