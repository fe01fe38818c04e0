"""The report's style sheet and its few lines of script."""

CSS = """
:root { color-scheme: light dark; --ink: #1b1b1b; --soft: #555; --line: #d9d9d9; --panel: #f6f7f9;
  --paper: #fff; --shade: #0003; --edge: #8a8a8a; --note: #fdf7e8; --focus: #0072b2;
  --better: #00543f; --on-better: #e3f4ee; --worse: #8a2f00; --on-worse: #fdebdf;
  --equivalent: #1f3d7a; --on-equivalent: #e6edfa; --undecided: #444; --on-undecided: #f1f1f1; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e8; --soft: #b0b0b0; --line: #444; --panel: #292a2d; --paper: #1f1f1f; --shade: #fff4;
    --note: #332b18; --focus: #6fb6e8; --better: #8fd9bd; --on-better: #173a2e; --worse: #f2b08a;
    --on-worse: #43240f; --equivalent: #a9c2f5; --on-equivalent: #1f2c4a; --undecided: #ccc;
    --on-undecided: #333; }
  /* what is drawn is drawn on white: the same, light for dark, hues kept */
  .plot, .card img { filter: invert(.88) hue-rotate(180deg); } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1080px; padding: 2rem 1.5rem 4rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, "Segoe UI", "Liberation Sans", sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 2.6rem 0 .6rem; padding-top: .8rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.4rem 0 .4rem; overflow-wrap: anywhere; }
p { margin: .4rem 0; max-width: 75ch; }
.soft, figcaption, dt { color: var(--soft); font-size: .9rem; }
.status { display: inline-block; padding: .05rem .6rem; border: 1px solid currentColor; border-radius: 1rem;
  font-size: .85rem; font-weight: 600; vertical-align: middle; }
.note { border-left: 4px solid #a87500; background: var(--note); padding: .5rem 1rem; margin: 1rem 0; }
.note ul { margin: .2rem 0; padding-left: 1.2rem; }
.verdicts { list-style: none; padding: 0; margin: .6rem 0; }
.verdicts li { display: grid; grid-template-columns: 6.5rem 1fr; gap: .8rem; padding: .45rem 0; }
.verdicts li + li { border-top: 1px solid var(--line); }
.chip { align-self: start; text-align: center; border-radius: .3rem; padding: .05rem .4rem; font-size: .85rem;
  font-weight: 600; border: 1.5px solid; }
.better { color: var(--better); background: var(--on-better); }
.worse { color: var(--worse); background: var(--on-worse); }
.equivalent { color: var(--equivalent); background: var(--on-equivalent); }
.undecided { color: var(--undecided); background: var(--on-undecided); border-style: dashed; }
.scroll { overflow-x: auto; max-width: 100%; /* a shadow where there is more to scroll to */
  background: linear-gradient(to right, var(--paper) 2rem, transparent) left / 4rem 100% no-repeat local,
  linear-gradient(to left, var(--paper) 2rem, transparent) right / 4rem 100% no-repeat local,
  linear-gradient(to right, var(--shade), transparent) left / .7rem 100% no-repeat scroll,
  linear-gradient(to left, var(--shade), transparent) right / .7rem 100% no-repeat scroll; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; font-variant-numeric: tabular-nums; }
th[scope="row"] { font-weight: 600; } th .soft { font-weight: 400; }
td { white-space: nowrap; } td.text { white-space: normal; }
th, td { text-align: right; padding: .35rem .7rem; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; padding-left: 0; max-width: 16rem;
  overflow-wrap: break-word; }
td.text, th.text { text-align: left; overflow-wrap: anywhere; min-width: 12rem; }
thead th { overflow-wrap: normal; min-width: 3rem; border-bottom: 2px solid var(--edge);
  vertical-align: bottom; font-size: .87rem; }
.compared { font-weight: 700; }
figure { margin: .6rem 0 1.4rem; } figcaption { max-width: 85ch; margin-top: .3rem; }
.plot { width: 100%; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(290px, 1fr)); gap: .8rem; }
.cards:has(img) { grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); }
.card { background: var(--panel); border: 1px solid var(--line); border-radius: .4rem; padding: .7rem .9rem;
  break-inside: avoid; min-width: 0; }
.card .scroll { background: none; } .card img { width: 100%; background: #fff; border-radius: .2rem; }
.card p { font-size: .88rem; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .05rem .8rem; margin: .4rem 0;
  font-size: .85rem; }
dt { max-width: 14ch; overflow-wrap: anywhere; } dd { margin: 0; overflow-wrap: anywhere; }
code, pre, dd { font-family: ui-monospace, "Liberation Mono", monospace; font-size: .82rem; }
pre { background: var(--panel); padding: .6rem .8rem; overflow-x: auto; white-space: pre-wrap; }
summary { cursor: pointer; } :focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; }
@media print { body { max-width: none; padding: 0; font-size: 11pt; } .modebar { display: none !important; }
  figure, li, tr { break-inside: avoid; } h2, h3 { break-after: avoid; } .scroll { overflow: visible; } }
@media (max-width: 600px) { body { padding: 1rem; font-size: 15px; } h1 { font-size: 1.5rem; }
  .verdicts li { grid-template-columns: 1fr; gap: .2rem; } .chip { justify-self: start; }
  .cards, .cards:has(img) { grid-template-columns: 1fr; } th, td { padding: .35rem .5rem; }
  table { font-size: .88rem; } th:first-child { position: sticky; left: 0; background: var(--paper);
  max-width: 9rem; min-width: 6.5rem; overflow-wrap: anywhere; } }
"""

SCRIPT = """
const NARROW = 600;  // pixels
const buttons = ["toImage", "zoom2d", "pan2d", "resetScale2d"];
const figures = JSON.parse(document.getElementById("figures").textContent);

async function load() {
  const packed = atob(document.getElementById("plotly").textContent);
  const bytes = new Blob([Uint8Array.from(packed, letter => letter.charCodeAt(0))]);
  const unpacked = bytes.stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(unpacked).text();
  document.head.append(script);
}

function wrapped(text, most) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.length - 1;
    if (lines[last] && lines[last].length + word.length >= most) lines.push(word);
    else lines[last] += (lines[last] ? " " : "") + word;
  }
  return lines.join("<br>");
}

function short(label, most) {  // names differ at their ends as often as at their beginnings
  if (label.length <= most) return label;
  const end = Math.floor((most - 1) / 2);
  return label.slice(0, most - 1 - end) + "\\u2026" + label.slice(-end);
}

function fitted(figure, width) {
  if (width >= NARROW) return figure;
  const small = structuredClone(figure), layout = small.layout;
  const named = small.data.filter(trace => trace.name);
  layout.margin = {...layout.margin, l: 44, r: 14};
  layout.dragmode = false;  // a finger scrolls the page
  if (layout.xaxis.title) layout.xaxis.title.text = wrapped(layout.xaxis.title.text, width / 9);
  if (layout.yaxis.ticktext) {
    layout.yaxis.ticktext = layout.yaxis.ticktext.map(label => short(label, Math.floor(width / 22)));
  }
  for (const trace of named) trace.name = short(trace.name, Math.floor(width / 12));
  const entries = named.filter(trace => trace.showlegend !== false).length;
  layout.height += 20 * Math.max(0, entries - 3);  // lines of the legend
  return small;
}

function draw() {
  for (const [name, figure] of Object.entries(figures)) {
    const place = document.getElementById(name), width = place.clientWidth, shown = fitted(figure, width);
    const options = {responsive: true, displaylogo: false, modeBarButtons: [buttons]};
    if (width < NARROW) options.displayModeBar = false;
    Plotly.react(place, shown.data, shown.layout, options);
  }
}

async function begin() {
  try {
    await load();
  } catch (error) {
    for (const place of document.querySelectorAll(".plot")) {
      place.textContent = "This browser cannot unpack the plots (" + error + "); the tables have the values.";
    }
    return;
  }
  draw();
  matchMedia("(max-width: " + NARROW + "px)").addEventListener("change", draw);
  document.documentElement.dataset.drawn = "true";
}

if (Object.keys(figures).length) begin();
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
  if (window.Plotly) for (const plot of document.querySelectorAll(".plot")) Plotly.Plots.resize(plot);
});
"""
