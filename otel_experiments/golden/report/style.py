"""The style of the HTML report: one sheet inside the page, light or dark as the reader's system is."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root{color-scheme:light dark;--page:#fff;--ink:#1c2024;--soft:#60646c;--line:#e0e3e8;--panel:#f6f7f9;
--fail:#c62a2f;--fail-soft:#fdecec;--warn:#9a6700;--warn-soft:#fff6db;--note:#0b68cb;--note-soft:#e9f3ff;
--ok:#18794e;--ok-soft:#e6f6ec;--golden:#b7791f;--candidate:#0b68cb}
@media(prefers-color-scheme:dark){:root{--page:#15181c;--ink:#e6e8eb;--soft:#9ba1a8;--line:#32373d;--panel:#1d2126;
--fail:#ff9592;--fail-soft:#3d1a1d;--warn:#f5c451;--warn-soft:#352a0f;--note:#70b8ff;--note-soft:#12304f;
--ok:#4cc38a;--ok-soft:#12321f;--golden:#e2b35c;--candidate:#70b8ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1360px;margin:0 auto;padding:24px 20px 64px}
h1{font-size:22px;margin:0 0 16px}h2{font-size:19px;margin:40px 0 4px;overflow-wrap:anywhere}
h3{font-size:15px;margin:28px 0 8px}
a{color:inherit}code,.mono{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.facts,.soft{color:var(--soft)}p{margin:4px 0}
.badge{display:inline-block;padding:0 8px;border-radius:10px;font-size:12px;line-height:20px;font-weight:600;
white-space:nowrap;text-decoration:none;vertical-align:1px}
h2 code{font-size:17px;font-weight:600}h2 .badge{font-size:13px;line-height:24px;border-radius:12px}
.fail{background:var(--fail-soft);color:var(--fail)}.advisory{background:var(--warn-soft);color:var(--warn)}
.note{background:var(--note-soft);color:var(--note)}.ignored{background:var(--panel);color:var(--soft)}
.pass{background:var(--ok-soft);color:var(--ok)}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:8px}
table{border-collapse:collapse;width:100%}
td{font-size:13.5px}td code{white-space:nowrap}.scroll+p{margin-top:10px}.more,td.change{white-space:pre-wrap}
th,td{padding:6px 10px;text-align:left;vertical-align:top;border-top:1px solid var(--line)}
tr:first-child th{border-top:0}th{font-size:12px;color:var(--soft);font-weight:600;background:var(--panel)}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.place,td.change{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
td.place{width:34%}.above{color:var(--soft)}td.place a{text-decoration-color:var(--soft);text-underline-offset:3px}
tr:target,.row:target{outline:2px solid var(--note);outline-offset:-2px}
del,ins{text-decoration:none;border-radius:3px;padding:0 3px}del{background:var(--fail-soft)}
ins{background:var(--ok-soft)}
.trees{border:1px solid var(--line);border-radius:8px;overflow:hidden}
.row{display:grid;grid-template-columns:1fr 1fr}.row>div{padding:1px 10px;min-width:0;overflow-wrap:anywhere}
.row>div[style]{padding-left:calc(10px + 16px*var(--depth))}
.row>div+div{border-left:1px solid var(--line)}
.row.head{background:var(--panel);font-size:12px;font-weight:600;color:var(--soft)}.row.head>div{padding:6px 10px}
.row.marked.fail-row{background:var(--fail-soft)}.row.marked.advisory-row{background:var(--warn-soft)}
.row.marked.note-row{background:var(--note-soft)}
.row .gone{background:repeating-linear-gradient(135deg,transparent 0 5px,var(--line) 5px 6px)}
.name{font:13px/1.6 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}.block{font-style:italic;color:var(--soft)}
.times{color:var(--soft);margin-left:6px;font:13px/1.6 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}.more{font:12px/1.6 ui-monospace,monospace;color:var(--soft);margin-left:8px}
.row.marked .more,.row.marked .times{color:inherit;opacity:.85}
.row .badge{margin-left:8px;border:1px solid currentColor;line-height:16px;font-size:11px;background:none}
summary{cursor:pointer;color:var(--soft);padding:3px 10px;font-size:13px;background:var(--panel)}
.curves{display:grid;grid-template-columns:repeat(auto-fill,minmax(380px,1fr));gap:14px}
figure{margin:0;border:1px solid var(--line);border-radius:8px;padding:10px}
figure.fail-curve{background:none;border-color:var(--fail)}figcaption{margin-bottom:6px;overflow-wrap:anywhere}
svg{display:block;width:100%;height:auto}
.key{display:inline-block;width:18px;height:0;border-top:3px solid;vertical-align:4px;margin:0 6px 0 14px}
.key.golden{border-color:var(--golden)}.key.candidate{border-color:var(--candidate)}
.key.since{border-top:2px dashed var(--fail)}.cross{color:var(--fail);margin:0 4px 0 14px;font-weight:700}
@media(max-width:760px){.curves{grid-template-columns:1fr}th,td{padding:5px 6px}
.findings,.findings tbody{display:block}.findings tr{display:flex;flex-wrap:wrap;align-items:baseline;border-top:1px solid var(--line)}
.findings tr:first-child{display:none}.findings td{border:0;padding:3px 8px}.findings td.place,.findings td.change{width:100%;order:1}
.findings td:nth-child(5)::before{content:"\\00d7"}.row>div[style]{padding-left:calc(6px + 5px*var(--depth))}}
@media print{details>*{display:block}}
"""
"""Nothing in it is fetched from anywhere."""
