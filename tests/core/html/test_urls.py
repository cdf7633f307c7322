"""Which destinations are tracked, and where a redirect may lead."""

from __future__ import annotations

import pytest

from mailnod.errors import ConfigurationError
from mailnod.html.urls import check_destination, find_destination, is_excluded, parse_base, quote_destination


def test_quoted_destination_ends_no_comment() -> None:
    """Behind an unquoted value a ">" follows, which would end a comment after two dashes."""
    assert quote_destination("https://e.example/a--b---") == "https://e.example/a--b--%2D"
    assert quote_destination("https://e.example/-") == "https://e.example/-"


@pytest.mark.parametrize(
    ("value", "url"),
    [
        (" https://e.example/a b ", "https://e.example/a b"),
        ("ht\ntps://e.example/\ta", "https://e.example/a"),
        ("HTTPS:e.example", "https://e.example"),
        ("https:\\\\e.example\\a?b\\c", "https://e.example/a?b\\c"),
        ("///e.example/x", "https://e.example/x"),
        ("\\/e.example/x", "https://e.example/x"),
        ("https://u:p@e.example:443/", "https://u:p@e.example:443/"),
        ("https://e.example:/", "https://e.example:/"),
        ("https://[2001:db8::1]/", "https://[2001:db8::1]/"),
        ("https://bücher.example/ü", "https://bücher.example/ü"),
        ("https://127.1/", "https://127.1/"),
        ("https://0x7f.1/", "https://0x7f.1/"),
        ("https://1.example/", "https://1.example/"),
        ("https://ex%41mple.com/", "https://ex%41mple.com/"),
    ],
)
def test_destination(value: str, url: str) -> None:
    """A destination is what the URL Standard's parser reads, with its slashes repaired."""
    found = find_destination(value)
    assert (found.url, found.obstacle) == (url, None)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "empty"),
        ("#top", "within the mail"),
        ("page.html", "relative"),
        ("www.e.example", "relative"),
        ("/path", "relative"),
        ("java\nscript:x", "scheme"),
        ("mailto:a@e.example", "scheme"),
        ("localhost:80", "scheme"),
        ("{{ url }}", "placeholder"),
        ("https://e.example/*|ID|*", "placeholder"),
        ("<%x%>", "placeholder"),
        ("-unsubscribe-", "placeholder"),
        ("https://e.example/[link:1]", "placeholder"),
        ("https://", "not a valid"),
        ("https://.", "not a valid"),
        ("https://a b/", "not a valid"),
        ("https://a%20b/", "not a valid"),
        ("https://a%ffb/", "not a valid"),
        ("https://a%00b/", "not a valid"),
        ("https://[::g]/", "not a valid"),
        ("https://[::1%25eth0]/", "not a valid"),
        ("https://[::1]x/", "not a valid"),
        ("https://e.example:65536/", "not a valid"),
        ("https://e.example:8x/", "not a valid"),
        ("https://e.example:" + "9" * 5000, "not a valid"),
        ("https://256.1.1.1/", "not a valid"),
        ("https://1.2.3.4.5/", "not a valid"),
        ("https://1.2.3.08/", "not a valid"),
        ("https://a.1/", "not a valid"),
        ("https://a:b:c/", "not a valid"),
        ("https://e\uff0fexample/", "not a valid"),
        ("https://e.example/\x01a", "control"),
        ("https://e.example/\x7fa", "control"),
        ("https://e.example/\udcff", "control"),
    ],
)
def test_obstacle(value: str, reason: str) -> None:
    """What is no web destination is left alone, and the reason says why."""
    assert reason in (find_destination(value).obstacle or "")


@pytest.mark.parametrize("url", ["https://e.example/a?b=c#d", "http://127.0.0.1:5000/", "https://e.example/ü b"])
def test_safe_redirects(url: str) -> None:
    """An absolute http(s) URL with a host is safe to redirect to."""
    assert check_destination(url)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "javascript:alert(1)",
            "data:text/html,x",
            "//e.example/",
            "/x",
            "",
            "https://",
            "https:/e.example/",
            "ftp://x/",
        ),
        *(
            " https://e.example/",
            "https://e.example/\r\nSet-Cookie: a",
            "https:\\\\e.example",
            "https://e.example/a\\b",
        ),
        *(
            "https://e.example/\x00",
            "\x01https://e.example/",
            "https://a b/",
            "HTTPS://e.example/",
            "https://e.example/\t",
        ),
    ],
)
def test_unsafe_redirects(url: str) -> None:
    """What a browser would read otherwise than it is written is not safe."""
    assert not check_destination(url)


def test_quoted_destination_is_safe_anywhere() -> None:
    """The encoded destination has nothing that attributes, queries or plain text treat specially."""
    quoted = quote_destination("https://e.example/a?b=c&d=e+f'\"<> ü;#x=")
    assert quoted == "https://e.example/a?b%3Dc%26d%3De%2Bf%27%22%3C%3E%20%C3%BC%3B%23x%3D"


@pytest.mark.parametrize(
    ("host", "entry"),
    [
        ("a.example.com", ".example.com"),
        ("example.com", ".example.com"),
        ("badexample.com", None),
        ("exact.example", "exact.example"),
        ("exact.example.", "exact.example"),
        ("www.exact.example", None),
    ],
)
def test_excluded_hosts(host: str, entry: str | None) -> None:
    """A leading dot excludes the host and all below it, no dot the host alone."""
    assert is_excluded(host, (".example.com", "exact.example")) == entry


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        (f"https://t.example/x/c/{'t' * 32}.0.{'g' * 16}?u=y", True),
        (f"https://t.example/x/c/{'t' * 32}.0", True),
        (f"https://t.example/x/c/{'t' * 32}.0.", False),
        (f"https://t.example/x/c/{'t' * 32}.0.{'g' * 15}", False),
        (f"HTTPS://T.EXAMPLE:443/x/c/{'t' * 32}.12.{'g' * 16}", True),
        (f"http://t.example/x/c/{'t' * 32}.0.{'g' * 16}", False),
        (f"https://t.example:8443/x/c/{'t' * 32}.0.{'g' * 16}", False),
        (f"https://t.example.evil.example/x/c/{'t' * 32}.0.{'g' * 16}", False),
        (f"https://t.example@evil.example/x/c/{'t' * 32}.0.{'g' * 16}", False),
        (f"https://t.example/c/{'t' * 32}.0.{'g' * 16}", False),
        ("https://t.example/x/c/shoes", False),
    ],
)
def test_own_links_are_told_by_origin_and_path(url: str, ours: bool) -> None:
    """A link is ours when scheme, host, port and path are, not when it contains our name."""
    assert parse_base("https://t.example/x/").owns_link(url) is ours


@pytest.mark.parametrize(
    "url", ["", "t.example", "ftp://t.example", "https://t.example/?a", "https://t.example/'", "https://a b"]
)
def test_wrong_base_url(url: str) -> None:
    """A base URL that could not stand in a mail is a wrong setup, and the message shows it."""
    with pytest.raises(ConfigurationError, match="base_url"):
        parse_base(url)
