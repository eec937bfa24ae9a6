"use strict";
// The figure of any two numbers of the main table's rows, one comparison at a time.
(() => {
  const { rows } = Board;
  const number = (value) => (value === undefined || value === "" ? null : Number(value));
  const axes = document.getElementById("axes");
  const plot = document.getElementById("pareto");
  const parts = new Map(Array.from(document.querySelectorAll("data.part"), (part) => [part.value, part.dataset]));
  const TITLES = {
    parameters: "trainable parameters (log scale)", memory: "peak training memory, MB",
    seconds: "training time, seconds", latency: "latency, untouched base = 1",
    merged: "latency, merged where it merges, untouched base = 1", storage: "checkpoint, bytes (log scale)",
  };
  const LOGARITHMIC = new Set(["parameters", "storage"]);

  // The figure shows the comparison that the filters single out, if they do.
  document.addEventListener("filtered", ({ detail: { model, task } }) => {
    const left = new Set(
      rows.filter((row) => (!model || row.model === model) && (!task || row.task === task))
        .map((row) => row.part),
    );
    if (left.size === 1 && axes.elements.part.value !== [...left][0]) {
      axes.elements.part.value = [...left][0];
      Figures.keep(plot, draw);
    }
  });

  // Which points no other beats: x is a cost, y a score or another cost. The same as reports/pareto.py.
  function front(points, higher) {
    const sign = higher ? -1 : 1;
    const order = points.map((_, index) => index)
      .sort((a, b) => points[a].x - points[b].x || sign * (points[a].y - points[b].y));
    const on = new Array(points.length).fill(false);
    let best = null;
    for (const index of order) {
      const { x, y } = points[index];
      if (best === null || sign * y < sign * best.y) best = { x, y };
      on[index] = x === best.x && y === best.y;
    }
    return on;
  }

  const axis = (key, about) => ({
    label: key === "score" ? about.metric : TITLES[key], log: LOGARITHMIC.has(key),
  });

  function draw() {
    const { part, x, y } = Object.fromEntries(new FormData(axes));
    const about = parts.get(part);
    const higher = y === "score" && about.higher === "1";
    const scale = (key, value) => (key === "memory" ? value / 1e6 : LOGARITHMIC.has(key) ? Math.max(value, 1) : value);
    const shown = rows.filter((row) => row.part === part && row[x] !== null && row[y] !== null);
    const points = shown.map((row) => ({
      x: scale(x, row[x]), y: scale(y, row[y]), label: row.label, row,
      ...(y === "score" && row.low !== null ? { low: row.low, high: row.high } : {}),
    }));
    points.sort((a, b) => a.x - b.x);
    const on = front(points, higher);
    // Of a score the seeds say how sure a place on the front is; of two costs nothing was drawn.
    const mark = (row, flag) => (y === "score" ? row.marks[x] || "dominated" : flag ? "front" : "dominated");
    plot.dataset.front = points.filter(({ row }, index) => mark(row, on[index]) !== "dominated")
      .map(({ label }) => label).join(" | ");
    if (!points.length) {
      plot.textContent = "Nothing to draw: one of the two was not measured.";
      return;
    }
    const floor = y === "score" ? number(about.floor) : null;
    const kind = (wanted, name, symbol) => ({
      name, symbol, points: points.filter(({ row }, index) => mark(row, on[index]) === wanted),
    });
    Figures.draw(plot, {
      height: 440, x: axis(x, about), y: axis(y, about),
      rules: floor === null ? [] : [{
        axis: "y", value: floor, label: `best constant answer: ${floor.toFixed(3)}`, below: higher,
      }],
      series: [
        { name: "", mark: "step", points: points.filter((_, index) => on[index]).map(({ x: at, y: up }) => ({ x: at, y: up })) },
        kind("front", "on the Pareto front", "circle"), kind("not settled", "perhaps on it", "ringdot"),
        kind("dominated", "dominated", "ring"),
      ],
    });
  }

  axes.addEventListener("change", () => Figures.keep(plot, draw));
  axes.addEventListener("submit", (event) => event.preventDefault());
  axes.hidden = false;
  Figures.keep(plot, draw);
  performance.mark("figure");
})();
