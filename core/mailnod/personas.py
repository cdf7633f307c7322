"""Programs that ask for pixels and links, with the headers that they really send, to try a set-up with.

People's addresses come from the blocks kept for documentation (RFC 5737); those of mailbox providers and scanners from
the blocks in which they are seen.
"""

from __future__ import annotations

import http.client
from dataclasses import dataclass, field
from urllib.parse import urlsplit

__all__ = [
    "ANDROID",
    "APPLE_MPP",
    "CURL",
    "DESKTOP",
    "GATEWAY",
    "GMAIL_PREFETCH",
    "GMAIL_PROXY",
    "IPHONE_BROWSER",
    "IPHONE_MAIL",
    "OFFICE_BROWSER",
    "OFFICE_DISCOVERY",
    "OUTLOOK",
    "PRIVATE_RELAY",
    "PROBE",
    "SAFE_LINKS",
    "SLACK",
    "YAHOO_PROXY",
    "Client",
    "Response",
]

TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What a client got."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A program at an address."""

    #: For a person to read.
    name: str
    address: str
    headers: dict[str, str] = field(default_factory=dict)

    def request(self, url: str, *, method: str = "GET", at: str | None = None) -> Response:
        """Ask for a URL over HTTP, through a proxy on this machine that names the client's address; follow nothing.

        :param at: host and port that are asked, whatever the URL says; None asks those of the URL.
        """
        parts = urlsplit(url)
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        connection = http.client.HTTPConnection(at or parts.netloc, timeout=TIMEOUT_S)
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", parts.netloc)
            for name, value in {**self.headers, "X-Forwarded-For": self.address}.items():
                connection.putheader(name, value)
            connection.endheaders()
            reply = connection.getresponse()
            headers = {name.lower(): value for name, value in reply.getheaders()}
            return Response(status=reply.status, headers=headers, body=reply.read())
        finally:
            connection.close()


_PAGE = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
_CHROME_PAGE = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)
_NAVIGATES = {
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-User": "?1",
    "Sec-Fetch-Dest": "document",
}
_ENCODINGS = "gzip, deflate, br"


def _chromium(agent: str, *, brand: str, version: int, platform: str, mobile: bool) -> dict[str, str]:
    return {
        "sec-ch-ua": f'"Chromium";v="{version}", "{brand}";v="{version}", "Not-A.Brand";v="24"',
        "sec-ch-ua-mobile": "?1" if mobile else "?0",
        "sec-ch-ua-platform": f'"{platform}"',
        "Upgrade-Insecure-Requests": "1",
        "User-Agent": agent,
        "Accept": _CHROME_PAGE,
        **_NAVIGATES,
        "Accept-Encoding": f"{_ENCODINGS}, zstd",
        "Accept-Language": "en-GB,en;q=0.9",
    }


IPHONE_MAIL = Client(
    name="Apple Mail on an iPhone",
    address="203.0.113.24",
    headers={
        "Accept": "image/webp,image/avif,image/jxl,image/heic,image/heic-sequence,video/*;q=0.8,image/png,*/*;q=0.5",
        "Accept-Language": "en-GB,en;q=0.9",
        "Accept-Encoding": _ENCODINGS,
        "User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 "
        "(KHTML, like Gecko) Mobile/15E148",
    },
)

IPHONE_BROWSER = Client(
    name="Safari on the same iPhone",
    address="203.0.113.24",
    headers={
        "Sec-Fetch-Dest": "document",
        "User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 "
        "(KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
        "Accept": _PAGE,
        "Sec-Fetch-Site": "none",
        "Sec-Fetch-Mode": "navigate",
        "Accept-Language": "en-GB,en;q=0.9",
        "Accept-Encoding": _ENCODINGS,
    },
)

GMAIL_PROXY = Client(
    name="Gmail's image proxy",
    address="66.249.84.71",
    headers={
        "User-Agent": "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
        "Accept-Encoding": "gzip, deflate",
    },
)

DESKTOP = Client(
    name="Chrome on a Mac",
    address="198.51.100.140",
    headers=_chromium(
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/141.0.0.0 Safari/537.36",
        brand="Google Chrome",
        version=141,
        platform="macOS",
        mobile=False,
    ),
)

APPLE_MPP = Client(
    name="Apple Mail Privacy Protection",
    address="172.224.226.37",
    headers={"User-Agent": "Mozilla/5.0", "Accept": "*/*", "Accept-Encoding": _ENCODINGS},
)

_SCANNER_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/97.0.4692.99 Safari/537.36"
)

PROBE = Client(
    name="a mail gateway that probes",
    address="64.235.150.12",
    headers={"User-Agent": _SCANNER_AGENT, "Accept": "*/*"},
)

GATEWAY = Client(
    name="the gateway's scanner",
    address="64.235.150.33",
    headers={"User-Agent": _SCANNER_AGENT, "Accept": "*/*", "Accept-Encoding": "gzip, deflate"},
)

OFFICE_BROWSER = Client(
    name="Edge in the office",
    address="192.0.2.61",
    headers=_chromium(
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0",
        brand="Microsoft Edge",
        version=141,
        platform="Windows",
        mobile=False,
    ),
)

ANDROID = Client(
    name="Chrome on an Android phone",
    address="203.0.113.188",
    headers=_chromium(
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/141.0.0.0 Mobile Safari/537.36",
        brand="Google Chrome",
        version=141,
        platform="Android",
        mobile=True,
    ),
)

YAHOO_PROXY = Client(
    name="Yahoo's image proxy",
    address="67.195.12.40",
    headers={
        "User-Agent": "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
        "Accept": "*/*",
        "Accept-Encoding": "gzip",
    },
)

GMAIL_PREFETCH = Client(
    name="Gmail's prefetch",
    address="108.177.2.32",
    headers={
        "User-Agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0",
        "Accept-Encoding": "gzip, deflate",
    },
)

PRIVATE_RELAY = Client(
    name="Safari through iCloud Private Relay", address="172.225.88.14", headers=IPHONE_BROWSER.headers
)

SAFE_LINKS = Client(
    name="Microsoft Safe Links",
    address="20.72.100.79",
    headers={"User-Agent": _SCANNER_AGENT, "Accept": "*/*", "Accept-Encoding": "gzip, deflate"},
)

OFFICE_DISCOVERY = Client(
    name="Microsoft Office's discovery",
    address="192.0.2.61",
    headers={"User-Agent": "Microsoft Office Existence Discovery", "Accept": "*/*"},
)

OUTLOOK = Client(
    name="Outlook on Windows",
    address="192.0.2.61",
    headers={
        "Accept": "*/*",
        "User-Agent": "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Win64; x64; Trident/7.0; "
        ".NET4.0C; .NET4.0E; Microsoft Outlook 16.0.17928; ms-office; MSOffice 16)",
        "Accept-Encoding": "gzip, deflate",
    },
)

SLACK = Client(
    name="Slack's link preview",
    address="54.90.14.20",
    headers={
        "User-Agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "Accept": "*/*",
        "Accept-Encoding": "gzip, deflate",
    },
)

CURL = Client(name="curl", address="198.51.100.200", headers={"User-Agent": "curl/8.14.1", "Accept": "*/*"})
