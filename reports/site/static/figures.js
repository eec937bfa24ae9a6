"use strict";
// Draws each figure from the JSON beside it when it comes into sight, in the colours of the light or dark theme.
const Figures = (() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const narrow = window.matchMedia("(max-width: 40rem)");
  const drawn = new Map(); // element -> function that draws it again

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // The theme's colours stand in for two that the figures are made with.
  function themed(figure) {
    return JSON.parse(
      JSON.stringify(figure)
        .replaceAll("#2f6fd0", colour("--accent"))
        .replaceAll("#808080", colour("--muted")),
    );
  }

  function draw(node, figure) {
    const { data, layout } = themed(figure);
    layout.font = { ...layout.font, color: colour("--text") };
    layout.hoverlabel = {
      bgcolor: colour("--tint"), bordercolor: colour("--line"),
      font: { color: colour("--text") }, align: "left",
    };
    if (narrow.matches) {
      layout.margin = { ...layout.margin, l: 52, r: 8 };
      layout.font.size = 12;
    }
    node.style.height = `${layout.height}px`;
    return Plotly.react(node, data, layout, { displayModeBar: false, responsive: true });
  }

  // Draw now, and again whenever the theme or the width changes.
  function keep(node, again) {
    drawn.set(node, again);
    return again();
  }

  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      const node = entry.target;
      seen.unobserve(node);
      const figure = JSON.parse(document.getElementById(node.dataset.figure).textContent);
      keep(node, () => draw(node, figure));
    }
  }, { rootMargin: "400px" });

  const again = () => drawn.forEach((draws) => draws());
  dark.addEventListener("change", again);
  narrow.addEventListener("change", again);
  document.querySelectorAll(".save").forEach((buttons) => { buttons.hidden = false; });
  document.querySelectorAll("[data-figure]").forEach((node) => seen.observe(node));

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-save]");
    if (!button) return;
    const node = document.getElementById(button.dataset.save);
    if (!drawn.has(node)) { // asked for before it was in sight
      node.scrollIntoView();
      await new Promise((done) => setTimeout(done, 300));
    }
    Plotly.downloadImage(node, {
      format: button.dataset.format, filename: button.dataset.save, scale: 2,
      width: node.clientWidth, height: node.clientHeight,
    });
  });

  return { draw, keep, narrow };
})();
