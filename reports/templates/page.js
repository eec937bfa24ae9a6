"use strict";
// Draws every figure from the JSON beside it, in the colours of the page's light or dark theme.
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const narrow = window.matchMedia("(max-width: 40rem)");

  function draw(node) {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const figure = JSON.parse(
      document.getElementById(node.dataset.figure).textContent
        .replaceAll("#2f6fd0", colour("--accent"))
        .replaceAll("#808080", colour("--muted")),
    );
    figure.layout.font.color = colour("--text");
    figure.layout.hoverlabel = {
      bgcolor: colour("--tint"), bordercolor: colour("--line"),
      font: { color: colour("--text") }, align: "left",
    };
    if (narrow.matches) {
      figure.layout.margin.l = 56;
      figure.layout.margin.r = 8;
      figure.layout.font.size = 12;
      figure.data.forEach((trace) => {
        if (!trace.meta) return; // the step line
        trace.textfont.size = 11;
        trace.textposition = trace.meta.narrow;
      });
    }
    Plotly.react(node, figure.data, figure.layout, { displayModeBar: false, responsive: true });
  }

  const drawAll = () => document.querySelectorAll(".plot").forEach(draw);
  dark.addEventListener("change", drawAll);
  narrow.addEventListener("change", drawAll);
  drawAll();
})();
