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
    merged: "latency, merged where it merges, untouched base = 1", storage: "storage, bytes (log scale)",
  };
  const LOGARITHMIC = new Set(["parameters", "storage"]);
  const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

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

  // On which side of its point each label covers the least of the other labels, points and the edges.
  function sides(places, widths, wide, high) {
    const candidates = places.map(([x, y], index) => {
      const width = widths[index];
      return {
        "top center": [x - width / 2, y - 24, x + width / 2, y - 8],
        "bottom center": [x - width / 2, y + 8, x + width / 2, y + 24],
        "middle right": [x + 8, y - 8, x + 8 + width, y + 8],
        "middle left": [x - 8 - width, y - 8, x - 8, y + 8],
        "top right": [x + 8, y - 24, x + 8 + width, y - 8],
        "bottom right": [x + 8, y + 8, x + 8 + width, y + 24],
        "top left": [x - 8 - width, y - 24, x - 8, y - 8],
        "bottom left": [x - 8 - width, y + 8, x - 8, y + 24],
      };
    });
    const overlap = (a, b) =>
      Math.max(Math.min(a[2], b[2]) - Math.max(a[0], b[0]), 0)
      * Math.max(Math.min(a[3], b[3]) - Math.max(a[1], b[1]), 0);
    const points = places.map(([x, y]) => [x - 14, y - 14, x + 14, y + 14]);
    const edges = [[-1e4, -1e4, 0, 1e4], [wide, -1e4, 1e4, 1e4], [-1e4, -1e4, 1e4, 0], [-1e4, high, 1e4, 1e4]];
    const chosen = places.map(() => "top center");
    for (let sweep = 0; sweep < 3; sweep += 1) {
      candidates.forEach((boxes, index) => {
        const rest = [
          ...edges,
          ...points.filter((_, other) => other !== index),
          ...candidates.filter((_, other) => other !== index && (sweep || other < index))
            .map((others) => others[chosen[candidates.indexOf(others)]]),
        ];
        let least = Infinity;
        for (const [side, box] of Object.entries(boxes)) {
          const cost = rest.reduce((sum, other) => sum + overlap(box, other), 0);
          if (cost < least) [least, chosen[index]] = [cost, side];
        }
      });
    }
    return chosen;
  }

  function range(values, log) {
    const scaled = values.map((value) => (log ? Math.log10(value) : value));
    const low = Math.min(...scaled), high = Math.max(...scaled), room = (high - low || Math.abs(high) || 1) * 0.1;
    return [low - room, high + room];
  }

  function axis(key, title, values) {
    const log = LOGARITHMIC.has(key);
    return {
      title: { text: title }, type: log ? "log" : "linear", range: range(values, log),
      ...(log ? { dtick: 1, exponentformat: "SI" } : {}),
      gridcolor: "rgba(128,128,128,0.22)", zeroline: false, linecolor: "#808080", ticks: "outside",
    };
  }

  function draw() {
    const { part, x, y } = Object.fromEntries(new FormData(axes));
    const about = parts.get(part);
    const higher = y === "score" && about.higher === "1";
    const scale = (key, value) => (key === "memory" ? value / 1e6 : LOGARITHMIC.has(key) ? Math.max(value, 1) : value);
    const shown = rows.filter((row) => row.part === part && row[x] !== null && row[y] !== null);
    const points = shown.map((row) => ({ x: scale(x, row[x]), y: scale(y, row[y]), row }));
    points.sort((a, b) => a.x - b.x);
    const on = front(points, higher);
    // Of a score the seeds say how sure a place on the front is; of two costs nothing was drawn.
    const mark = (row, flag) => (y === "score" ? row.marks[x] || "dominated" : flag ? "front" : "dominated");
    plot.dataset.front = points.filter(({ row }, index) => mark(row, on[index]) !== "dominated")
      .map(({ row }) => row.label).join(" | ");
    if (!points.length) {
      Plotly.purge(plot);
      plot.textContent = "Nothing to draw: one of the two was not measured.";
      return undefined;
    }
    if (!plot.querySelector(".plot-container")) plot.textContent = "";
    const bar = ({ row }, end, sign) => (y === "score" && row[end] !== null ? sign * (row[end] - row.score) : 0);
    const floor = y === "score" ? number(about.floor) : null;
    const ys = points.flatMap((point) => [point.y - bar(point, "low", -1), point.y + bar(point, "high", 1)]);
    if (floor !== null) ys.push(floor);
    const layout = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", height: 460,
      font: { family: "system-ui, sans-serif", size: 13 }, margin: { l: 64, r: 24, t: 36, b: 56 },
      dragmode: false, hovermode: "closest", showlegend: true,
      legend: { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom" },
      xaxis: axis(x, TITLES[x], points.map((point) => point.x)),
      yaxis: axis(y, y === "score" ? escaped(about.metric) : TITLES[y], ys),
      shapes: [], annotations: [],
    };
    if (floor !== null) {
      layout.shapes.push({
        type: "line", xref: "paper", x0: 0, x1: 1, y0: floor, y1: floor,
        line: { dash: "dash", color: "#808080", width: 1 },
      });
      layout.annotations.push({
        xref: "paper", x: 1, xanchor: "right", y: floor, yanchor: higher ? "top" : "bottom", showarrow: false,
        text: `best constant answer: ${floor.toFixed(3)}`, font: { size: 12, color: "#808080" },
      });
    }
    const size = Figures.narrow.matches ? 11 : 13;
    const wide = plot.clientWidth - (Figures.narrow.matches ? 60 : 88), high = 368;
    const along = (value, [low, top], log) => ((log ? Math.log10(value) : value) - low) / (top - low);
    const places = points.map((point) => [
      wide * along(point.x, layout.xaxis.range, LOGARITHMIC.has(x)),
      high * (1 - along(point.y, layout.yaxis.range, LOGARITHMIC.has(y))),
    ]);
    const where = sides(places, points.map(({ row }) => 0.56 * size * row.label.length), wide, high);
    const trace = (wanted, name, symbol) => {
      const chosen = points.map((point, index) => ({ ...point, side: where[index], mark: mark(point.row, on[index]) }))
        .filter((point) => point.mark === wanted);
      return {
        type: "scatter", mode: "markers+text", name,
        x: chosen.map((point) => point.x), y: chosen.map((point) => point.y),
        text: chosen.map(({ row }) => escaped(row.label)), textposition: chosen.map((point) => point.side),
        textfont: { size }, cliponaxis: false,
        hovertemplate: `<b>%{text}</b><br>${escaped(layout.yaxis.title.text)}: %{y:.4~g}<br>`
          + `${layout.xaxis.title.text}: %{x:.4~s}<extra></extra>`,
        marker: { symbol, size: 11, color: "#2f6fd0", line: { width: 2, color: "#2f6fd0" } },
        error_y: {
          type: "data", symmetric: false, color: "#2f6fd0", thickness: 1.2, width: 0,
          array: chosen.map((point) => bar(point, "high", 1)),
          arrayminus: chosen.map((point) => bar(point, "low", -1)),
        },
      };
    };
    const steps = points.filter((_, index) => on[index]);
    const data = [
      {
        type: "scatter", mode: "lines", hoverinfo: "skip", showlegend: false,
        x: steps.map((point) => point.x), y: steps.map((point) => point.y),
        line: { shape: "hv", color: "#2f6fd0", width: 1.5 },
      },
      trace("front", "on the Pareto front", "circle"),
      trace("not settled", "perhaps on it", "circle-open-dot"),
      trace("dominated", "dominated", "circle-open"),
    ];
    return Figures.draw(plot, { data: data.filter((item) => item.x.length), layout });
  }

  axes.addEventListener("change", () => Figures.keep(plot, draw));
  axes.addEventListener("submit", (event) => event.preventDefault());
  axes.hidden = false;
  Promise.resolve(Figures.keep(plot, draw)).then(() => performance.mark("figure"));
})();
