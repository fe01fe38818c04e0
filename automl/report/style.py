"""The report's style sheet and its few lines of script."""

CSS = """
:root { --ink: #1b1b1b; --soft: #555; --line: #d9d9d9; --panel: #f6f7f9; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1080px; padding: 2rem 1.5rem 4rem; background: #fff; color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", "Liberation Sans", sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 2.6rem 0 .6rem; padding-top: .8rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.4rem 0 .4rem; overflow-wrap: anywhere; }
p { margin: .4rem 0; max-width: 75ch; }
.soft, figcaption, dt { color: var(--soft); font-size: .9rem; }
.status { display: inline-block; padding: .05rem .6rem; border: 1px solid currentColor; border-radius: 1rem;
  font-size: .85rem; font-weight: 600; vertical-align: middle; }
.note { border-left: 4px solid #a87500; background: #fdf7e8; padding: .5rem 1rem; margin: 1rem 0; }
.note ul { margin: .2rem 0; padding-left: 1.2rem; }
.verdicts { list-style: none; padding: 0; margin: .6rem 0; }
.verdicts li { display: grid; grid-template-columns: 6.5rem 1fr; gap: .8rem; padding: .45rem 0; }
.verdicts li + li { border-top: 1px solid var(--line); }
.chip { align-self: start; text-align: center; border-radius: .3rem; padding: .05rem .4rem; font-size: .85rem;
  font-weight: 600; border: 1.5px solid; }
.better { color: #00543f; background: #e3f4ee; } .worse { color: #8a2f00; background: #fdebdf; }
.equivalent { color: #1f3d7a; background: #e6edfa; }
.undecided { color: #444; background: #f1f1f1; border-style: dashed; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; font-variant-numeric: tabular-nums; }
th[scope="row"] { font-weight: 600; } th .soft { font-weight: 400; }
td { white-space: nowrap; } td.text { white-space: normal; }
th, td { text-align: right; padding: .35rem .7rem; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; padding-left: 0; max-width: 16rem;
  overflow-wrap: break-word; }
td.text, th.text { text-align: left; overflow-wrap: anywhere; }
thead th { border-bottom: 2px solid #8a8a8a; vertical-align: bottom; font-size: .87rem; }
.compared { font-weight: 700; }
figure { margin: .6rem 0 1.4rem; } figcaption { max-width: 85ch; margin-top: .3rem; }
.plot { width: 100%; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(290px, 1fr)); gap: .8rem; }
.cards:has(img) { grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); }
.card { background: var(--panel); border: 1px solid var(--line); border-radius: .4rem; padding: .7rem .9rem;
  break-inside: avoid; min-width: 0; }
.card img { width: 100%; background: #fff; border-radius: .2rem; }
.card p { font-size: .88rem; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .05rem .8rem; margin: .4rem 0;
  font-size: .85rem; }
dt { max-width: 14ch; overflow-wrap: anywhere; } dd { margin: 0; overflow-wrap: anywhere; }
code, pre, dd { font-family: ui-monospace, "Liberation Mono", monospace; font-size: .82rem; }
pre { background: var(--panel); padding: .6rem .8rem; overflow-x: auto; white-space: pre-wrap; }
summary { cursor: pointer; } :focus-visible { outline: 3px solid #0072b2; outline-offset: 2px; }
@media print { body { max-width: none; padding: 0; font-size: 11pt; } .modebar { display: none !important; }
  figure, li, tr { break-inside: avoid; } h2, h3 { break-after: avoid; } .scroll { overflow: visible; } }
@media (max-width: 600px) { .verdicts li { grid-template-columns: 1fr; } body { padding: 1rem; } }
"""

SCRIPT = """
const buttons = ["toImage", "zoom2d", "pan2d", "resetScale2d"];
const options = {responsive: true, displaylogo: false, modeBarButtons: [buttons]};
const figures = JSON.parse(document.getElementById("figures").textContent);
for (const [name, figure] of Object.entries(figures)) {
  Plotly.newPlot(document.getElementById(name), figure.data, figure.layout, options);
}
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
  for (const plot of document.querySelectorAll(".plot")) Plotly.Plots.resize(plot);
});
"""
