"""How a report looks, in light and in dark and on paper."""

from __future__ import annotations

from typing import Final

__all__ = ["STYLE"]

#: The one style sheet of a report; it loads nothing.
STYLE: Final = """
:root{color-scheme:light dark;--window:#eef0f3;--base:#ffffff;--alt:#f6f8fa;--text:#1c2128;--muted:#5b6470;
--border:#d3d8df;--accent:#1f5fc4;--good:#1a7f43;--warn:#9a5b00;--bad:#b42332;--info:#2563c0;--added:#dcf5e3;
--removed:#fde2e2;--added-mark:#a6e3b9;--removed-mark:#f7b8b8}
@media(prefers-color-scheme:dark){:root{--window:#15181d;--base:#1d2127;--alt:#232831;--text:#e4e8ee;--muted:#a0a9b6;
--border:#363d48;--accent:#79aefc;--good:#63cf8c;--warn:#e8b04f;--bad:#ff8b8b;--info:#82b4ff;--added:#1b3526;
--removed:#43242a;--added-mark:#2c6843;--removed-mark:#84363f}}
*{box-sizing:border-box}
body{margin:0;background:var(--window);color:var(--text);
font:15px/1.5 Inter,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{max-width:1160px;margin:0 auto;padding:28px 20px 64px}
h1{font-size:24px;line-height:1.25;margin:0 0 2px}
h2{font-size:19px;line-height:1.3;margin:0;overflow-wrap:anywhere}
h3{font-size:13px;letter-spacing:.04em;text-transform:uppercase;color:var(--muted);margin:26px 0 8px;font-weight:600}
p{margin:4px 0}
.muted{color:var(--muted)}
.card{background:var(--base);border:1px solid var(--border);border-radius:10px;padding:20px 22px;margin:18px 0}
.pills{display:flex;flex-wrap:wrap;gap:6px;margin:10px 0}
.pill{display:inline-block;border:1px solid currentColor;border-radius:99px;padding:0 9px;font-size:12px;
line-height:20px;font-weight:600;white-space:nowrap}td .pill{margin:1px 0}
.good{color:var(--good)}.warn{color:var(--warn)}.bad{color:var(--bad)}.info{color:var(--info)}.off{color:var(--muted)}
.scroll{overflow-x:auto;border:1px solid var(--border);border-radius:8px}
table{border-collapse:collapse;width:100%;font-size:13.5px}
th,td{text-align:left;vertical-align:top;padding:7px 10px;border-bottom:1px solid var(--border)}
tr:last-child>td{border-bottom:0}
th{background:var(--alt);color:var(--muted);font-weight:600;white-space:nowrap}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.long{overflow-wrap:anywhere;min-width:180px}
code,.mono,.diff td{font-family:"JetBrains Mono","Cascadia Mono",Consolas,"DejaVu Sans Mono",monospace;font-size:12.5px}
ul.plain{list-style:none;margin:0;padding:0}
ul.plain li{padding:3px 0}
.finding{border-left:4px solid currentColor;border-radius:4px;background:var(--alt);padding:9px 13px;margin:8px 0}
.finding p{color:var(--text)}.finding p.muted{color:var(--muted)}
.finding .excerpt{color:var(--muted);overflow-wrap:anywhere;
font-family:"JetBrains Mono",Consolas,monospace;font-size:12.5px}
.meter{position:relative;height:14px;border-radius:7px;background:var(--alt);border:1px solid var(--border);
overflow:hidden;margin:8px 0 4px}
.meter i{position:absolute;inset:0 auto 0 0;background:var(--accent)}
.meter i.before{opacity:.45}.meter i.over{background:var(--bad)}
.meter b{position:absolute;top:0;bottom:0;width:2px;background:var(--text)}
.diff td{white-space:pre-wrap;overflow-wrap:anywhere;border-bottom:0;padding:1px 10px;line-height:1.55;width:48%}
.diff td.number{width:1%;white-space:nowrap;overflow-wrap:normal;color:var(--muted);
user-select:none;border-right:1px solid var(--border)}
.diff td.removed{background:var(--removed)}.diff td.added{background:var(--added)}
.diff .removed mark{background:var(--removed-mark);color:inherit;border-radius:2px}
.diff .added mark{background:var(--added-mark);color:inherit;border-radius:2px}
.diff tr.gap td{background:var(--alt);color:var(--muted);text-align:center;padding:3px 10px}
details{margin:10px 0}
summary{cursor:pointer;color:var(--accent);font-weight:600;padding:3px 0}
a{color:var(--accent)}
img.picture{max-width:100%;border:1px solid var(--border);border-radius:8px;background:#ffffff}
@media(max-width:640px){main{padding:16px 10px 40px}.card{padding:14px 12px}}
@media print{body{background:#ffffff}.card{break-inside:avoid-page;border-color:#bbbbbb}}
"""
