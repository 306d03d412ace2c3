# SPDX-License-Identifier: GPL-3.0-or-later
"""How pages look: light, dark and on paper."""

STYLE = """
:root { color-scheme: light dark; --ink: #1d2126; --soft: #626b76; --line: #d9dee4; --page: #ffffff; --box: #f5f7f9;
  --good: #1a7f4b; --look: #a86400; --wrong: #c02f2f; --curve: #2563b0; --worst: #b9cfe9;
  --gap: #d9b81c; --missing: #8a6a4a; --flagged: #e0522b; --left: #2f6fc4; --right: #c8433c; --seen: #1f9d63; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7eb; --soft: #9aa4af; --line: #3a414a; --page: #16191d; --box: #1f2429;
  --good: #4cc38a; --look: #e5a13a; --wrong: #ff7b72; --curve: #6ea8f0; --worst: #2c4363;
  --gap: #e3c83c; --missing: #a98560; --flagged: #ff7a4d; --left: #6ba4f2; --right: #f0807a; --seen: #45cf8c; } }
@media print { :root { color-scheme: light; --ink: #000; --soft: #444; --line: #bbb; --page: #fff; --box: #fff;
  --good: #1a7f4b; --look: #a86400; --wrong: #c02f2f; --curve: #2563b0; --worst: #b9cfe9;
  --gap: #d9b81c; --missing: #8a6a4a; --flagged: #e0522b; --left: #2f6fc4; --right: #c8433c; --seen: #1f9d63; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  svg, tr, figure, .tiles, h2 { break-inside: avoid; } h2 { break-after: avoid; } main { max-width: none; padding: 0; }
  details > * { display: block; } }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
h1 { font-size: 1.5rem; margin: 0 0 .2rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2.2rem 0 .5rem; border-top: 1px solid var(--line); padding-top: 1.1rem; }
p { margin: .3rem 0; } a { color: var(--curve); } .about, .soft { color: var(--soft); }
.verdict { font-weight: 600; } .good { color: var(--good); } .look { color: var(--look); } .wrong { color: var(--wrong); }
.tiles { display: flex; flex-wrap: wrap; gap: .6rem; margin: 1rem 0 0; }
.tile { background: var(--box); border: 1px solid var(--line); border-radius: 6px; padding: .45rem .8rem; min-width: 7.2rem; }
.tile b { display: block; font-size: 1.15rem; font-variant-numeric: tabular-nums; } .tile span { color: var(--soft); font-size: .85rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th { text-align: left; font-weight: 600; color: var(--soft); }
th, td { padding: .28rem .7rem .28rem 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
.number { white-space: nowrap; font-variant-numeric: tabular-nums; }
ul { padding-left: 1.2rem; margin: .3rem 0; }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
.bar { fill: var(--curve); } .bar-ground { fill: var(--line); } .grid { stroke: var(--line); }
.limit { stroke: var(--look); stroke-dasharray: 5 4; }
.mean { fill: none; stroke: var(--curve); stroke-width: 1.4; } .worst { fill: var(--worst); stroke: none; }
.ground { fill: var(--box); } .gap { fill: var(--gap); } .missing { fill: var(--missing); } .flagged { fill: var(--flagged); }
.stands { fill: var(--seen); }
.bone { stroke: var(--soft); stroke-width: 3; stroke-linecap: round; } .left { stroke: var(--left); } .right { stroke: var(--right); }
.key .left { fill: var(--left); } .key .right { fill: var(--right); }
.sample { fill: var(--seen); } .place { fill: none; stroke: var(--soft); } .far { stroke: var(--flagged); stroke-width: 1.5; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(22rem, 1fr)); gap: .8rem; }
figure { margin: 0; border: 1px solid var(--line); border-radius: 6px; padding: .5rem; }
figcaption { font-size: .85rem; color: var(--soft); }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; color: var(--soft); font-size: .85rem; }
.key svg { width: .8rem; height: .8rem; display: inline-block; vertical-align: -.05rem; margin-right: .35rem; }
footer { margin-top: 2.5rem; color: var(--soft); font-size: .85rem; }
"""
