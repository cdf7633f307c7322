"""A shown mail makes no connection, by whatever way it tries."""

from __future__ import annotations

import pytest

from .conftest import Canary, Pane

VECTORS = {
    "img": '<img src="{u}/i.png">',
    "img srcset": '<img srcset="{u}/1.png 1x, {u}/2.png 2x">',
    "img lazy": '<img loading="lazy" src="{u}/lazy.png">',
    "picture": '<picture><source srcset="{u}/s.webp"><img src="{u}/f.png"></picture>',
    "background of a body": '<body background="{u}/b.png">x',
    "background of a table": '<table background="{u}/t.png"><tr><td background="{u}/td.png">x</td></tr></table>',
    "css url in an attribute": '<div style="background:url({u}/a.png)">x</div>',
    "css url in a style": "<style>body {{ background: url({u}/s.png) }}</style>x",
    "css import": '<style>@import url("{u}/i.css"); @import "{u}/j.css";</style>x',
    "css font": "<style>@font-face {{ font-family: F; src: url({u}/f.woff2) }} body {{ font-family: F }}</style>x",
    "css cursor": "<style>body {{ cursor: url({u}/c.cur), auto }}</style>x",
    "css content": "<style>p::before {{ content: url({u}/c.png) }}</style><p>x",
    "css mask": '<div style="-webkit-mask-image:url({u}/m.svg);mask-image:url({u}/m2.svg)">x</div>',
    "css list style": '<ul style="list-style-image:url({u}/l.png)"><li>x</ul>',
    "css border": '<div style="border:9px solid;border-image:url({u}/b.png) 9">x</div>',
    "css image set": "<div style=\"background:image-set('{u}/1.png' 1x)\">x</div>",
    "css shape": '<div style="float:left;shape-outside:url({u}/s.png)">x</div>',
    "css filter": '<div style="filter:url({u}/f.svg#f)">x</div>',
    "css by selector": "<style>a[href^='http'] {{ background: url({u}/leak) }}</style><a href='http://example.com'>x</a>",
    "link stylesheet": '<link rel="stylesheet" href="{u}/s.css">x',
    "link alternate stylesheet": '<link rel="alternate stylesheet" title="t" href="{u}/s.css">x',
    "link preload": '<link rel="preload" as="image" href="{u}/p.png"><link rel="preload" as="font" href="{u}/f">x',
    "link modulepreload": '<link rel="modulepreload" href="{u}/m.js">x',
    "link preconnect": '<link rel="preconnect" href="{u}"><link rel="preconnect" crossorigin href="{u}">x',
    "link dns-prefetch": '<link rel="dns-prefetch" href="{u}">x',
    "link prefetch": '<link rel="prefetch" href="{u}/p-never"><link rel="prerender" href="{u}/r-never">',
    "link icon": '<link rel="icon" href="{u}/i.ico"><link rel="apple-touch-icon" href="{u}/a-never">x',
    "link manifest": '<link rel="manifest" href="{u}/m.json">x',
    "link import": '<link rel="import" href="{u}/i.html">x',
    "speculation rules": '<script type="speculationrules">'
    '{{"prerender":[{{"source":"list","urls":["{u}/s-never"]}}]}}</script>x',
    "iframe": '<iframe src="{u}/f.html"></iframe>',
    "iframe srcdoc": "<iframe srcdoc=\"<img src='{u}/sd.png'><script>fetch('{u}/sd-never')</script>\"></iframe>",
    "frameset": '<html><frameset cols="50%,50%"><frame src="{u}/1.html"><frame src="{u}/2.html"></frameset></html>',
    "object": '<object data="{u}/o-never" type="image/svg+xml"></object><object data="{u}/o.html"></object>',
    "embed": '<embed src="{u}/e-never"><embed type="application/pdf" src="{u}/e.pdf">',
    "applet": '<applet code="A" codebase="{u}/a-never"></applet>',
    "video": '<video src="{u}/v.mp4" poster="{u}/p.png" autoplay preload="auto"></video>',
    "audio": '<audio src="{u}/a.mp3" autoplay preload="auto"></audio>',
    "media sources": '<video autoplay><source src="{u}/s.webm"><track default src="{u}/t.vtt"></video>',
    "input image": '<form><input type="image" src="{u}/i.png"></form>',
    "svg image": '<svg><image href="{u}/i.png" xlink:href="{u}/x.png"/><use href="{u}/u.svg#a"/></svg>',
    "svg filter image": '<svg><feImage href="{u}/fe.png"/><filter><feImage xlink:href="{u}/f2.png"/></filter></svg>',
    "svg style": "<svg><style>@import '{u}/svg.css'; rect {{ fill: url({u}/p.svg#p) }}</style><rect/></svg>",
    "svg script": '<svg><script href="{u}/s.js"/><foreignObject><img src="{u}/fo.png"/></foreignObject></svg>',
    "svg within an image": "<img src=\"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'>"
    "<image href='{u}/n.png'/></svg>\">",
    "mathml": '<math href="{u}/m-never" xlink:href="{u}/x-never"><mi>x</mi></math>',
    "meta refresh": '<meta http-equiv="refresh" content="0; url={u}/r-never">x',
    "meta policy report": "<meta http-equiv='Content-Security-Policy' "
    "content=\"img-src 'none'; report-uri {u}/c-never\"><img src='{u}/csp.png'>",
    "meta origin trial": '<meta http-equiv="origin-trial" content="{u}"><meta http-equiv="accept-ch" content="DPR">x',
    "base": '<base href="{u}/"><img src="relative.png"><link rel="stylesheet" href="r.css">',
    "scheme relative": '<img src="//{h}/sr.png"><script src="//{h}/s.js"></script>',
    "upgraded": '<img src="https://{h}/tls.png">',
    "websocket": "<script>new WebSocket('ws://{h}/ws-never')</script>x",
    "form autofocus": '<form action="{u}/f-never"><input autofocus onfocus="this.form.submit()"></form>',
    "script src": '<script src="{u}/s.js"></script><script type="module" src="{u}/m.js"></script>x',
    "script fetch": "<script>fetch('{u}/f-never');new Image().src='{u}/i-never';"
    "navigator.sendBeacon('{u}/b-never')</script>x",
    "event handler": "<img src=x onerror=\"fetch('{u}/e-never')\"><body onload=\"location='{u}/l-never'\">",
    "javascript url": "<iframe src=\"javascript:fetch('{u}/j-never')\"></iframe>",
    "data url frame": '<iframe src="data:text/html,<img src={u}/d-never>"></iframe>',
    "ping": '<a href="#x" ping="{u}/p-never" autofocus>x</a>',
    "attribution": '<img attributionsrc="{u}/a-never" src="data:,"><a attributionsrc="{u}/b-never" href="#">x</a>',
    "vml": '<!--[if mso]><v:image src="{u}/v-never"/><![endif]--><v:fill src="{u}/f-never"></v:fill>',
    "tgt": '<img lowsrc="{u}/l-never" dynsrc="{u}/d-never" longdesc="{u}/ld-never" usemap="{u}/m-never" src="data:,">',
    "comment that ends early": '<!--><img src="{u}/c.png"><!-- -->',
    "template": '<template shadowrootmode="open"><img src="{u}/s.png"><style>@import "{u}/t.css"</style></template>',
    "noscript": '<noscript><img src="{u}/n.png"><link rel="stylesheet" href="{u}/n.css"></noscript>',
    "portal and fenced frame": '<portal src="{u}/p-never"></portal><fencedframe src="{u}/f-never"></fencedframe>',
    "custom scheme": '<img src="mailnod-http://{h}/m.png"><link rel="stylesheet" href="mailnod-http://{h}/m.css">',
}


#: What no permission lets in: pages, scripts, media, documents, and whatever is asked for without being shown.
NEVER = (".html", ".js", ".pdf", ".mp4", ".mp3", ".webm", ".vtt", ".ico", ".json", "-never")


@pytest.mark.parametrize("name", VECTORS)
def test_mail_makes_no_connection_and_no_request(name: str, canary: Canary, pane: Pane) -> None:
    """Nothing that a mail can hold reaches a server."""
    html = VECTORS[name].format(u=canary.url, h=canary.url.removeprefix("http://"))
    pane.begin()
    pane.show(html)
    # What the first page asked for late would come before this one is on the screen.
    pane.show("<p>after</p>")
    assert canary.count() == (0, 0)


@pytest.mark.parametrize("name", VECTORS)
def test_mail_that_takes_the_place_of_another_version_makes_none_either(name: str, canary: Canary, pane: Pane) -> None:
    """A page that is replaced in one step is as silent as one that is loaded."""
    html = VECTORS[name].format(u=canary.url, h=canary.url.removeprefix("http://"))
    pane.begin()
    pane.show("<p>before</p>", key="mail")
    pane.show(html, key="mail")
    pane.show("<p>after</p>", key="mail")
    assert pane.ask("document.body.textContent") == "after"
    assert canary.count() == (0, 0)


@pytest.mark.parametrize("name", VECTORS)
def test_allowed_mail_fetches_pictures_styles_and_fonts_alone(name: str, canary: Canary, pane: Pane) -> None:
    """With remote images allowed, whatever is no image, style sheet or font still makes no request."""
    html = VECTORS[name].format(u=canary.url, h=canary.url.removeprefix("http://"))
    pane.begin(allowed=True)
    pane.show(html)
    pane.show("<p>after</p>")
    canary.count()
    assert [path for path in canary.requests if path.endswith(NEVER)] == []
    assert all("cookie" not in headers and "referer" not in headers for headers in canary.headers)


def test_blocked_things_are_listed_with_their_kind(canary: Canary, pane: Pane) -> None:
    """A person sees what a mail tried to load."""
    html = (
        f'<link rel="stylesheet" href="{canary.url}/s.css"><img src="{canary.url}/i.png"><img src="logo.png">'
        f'<iframe src="{canary.url}/f.html"></iframe><style>p {{ background: url({canary.url}/b.png) }}</style><p>x'
    )
    pane.begin()
    pane.show(html)
    assert sorted(pane.refused) == [
        ("frame", f"{canary.url}/f.html"),
        ("image", f"{canary.url}/b.png"),
        ("image", f"{canary.url}/i.png"),
        ("image", "logo.png"),
        ("stylesheet", f"{canary.url}/s.css"),
    ]


def test_the_list_begins_anew_with_another_mail(canary: Canary, pane: Pane) -> None:
    """What one mail was refused is not said of the next."""
    pane.begin()
    pane.show(f'<img src="{canary.url}/i.png">')
    pane.show("<p>x</p>")
    assert pane.refused == []


def test_the_list_is_whole_after_another_version_took_the_place(canary: Canary, pane: Pane) -> None:
    """What both versions ask for is still listed, and what only the first asked for no more."""
    pane.begin()
    pane.show(f'<img src="{canary.url}/1.png"><img src="{canary.url}/2.png"><img src="logo.png">', key="mail")
    pane.show(f'<img src="{canary.url}/1.png"><img src="{canary.url}/3.png"><img src="logo.png">', key="mail")
    pane.wait_for("[...document.images].every((image) => image.complete)", True)
    assert sorted(url.rpartition("/")[2] for _, url in pane.refused) == ["1.png", "3.png", "logo.png"]
