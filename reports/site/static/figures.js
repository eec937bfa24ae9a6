"use strict";
// Draws figures as SVG with Observable Plot, from JSON (parts/figures.py says what it holds), when they come into
// sight. Colours are variables of the style sheet, so that the dark theme and paper need no second drawing.
const Figures = (() => {
  const SIZE = 13, LEAST_PANEL = 210, MOST_PANEL = 460, EDGE = 28;
  const drawn = new Map(); // element -> function that draws it again

  const colour = (number) => (number < 0 ? "var(--muted)" : `var(--c${number || 0})`);
  const paint = (series, point) => (point.grey ? "var(--faint)" : colour(series.colour));
  const compact = d3.format(".4~s"), plain = d3.format(".4~g"), short = d3.format("~s");
  const counted = (axis) => (value) => (Math.abs(value) < 1 ? plain : short)(value).replace("G", axis.label?.includes("parameters") ? "B" : "G"); // 3 B parameters
  const said = (value, axis) => (typeof value !== "number" ? value : axis.log || Math.abs(value) >= 1e5 ? compact(value) : plain(value));

  function caption(figure, series, point) {
    const { x = {}, y = {} } = figure;
    const value = y.names ? [x, point.x] : [y, point.y];
    const other = y.names ? point.y : `${said(point.x, x)} ${x.label || ""}`;
    const range = "low" in point && point.low !== null ? ` (${said(point.low, value[0])} to ${said(point.high, value[0])})` : "";
    return [point.label || series.name, other, `${value[0].label ? `${value[0].label}: ` : ""}${said(value[1], value[0])}${range}`, point.note]
      .filter(Boolean).join("\n");
  }

  // Series as rows of marks, the ones in one panel.
  function marks(figure, panel, sides) {
    const named = Boolean(figure.y?.names), found = [];
    const here = (series) => series.points.filter((p) => !figure.panels || p.panel === panel);
    const bars = [];
    figure.series.forEach((series, index) => {
      const points = here(series);
      // Side by side where they share a place on an axis of names.
      const dx = figure.x?.names ? Math.min(5, 40 / figure.series.length) * (index - (figure.series.length - 1) / 2) : 0;
      const stroke = colour(series.colour);
      if (series.mark === "bars") {
        bars.push(...points.map((p) => ({ ...p, series, fill: stroke, title: caption(figure, series, p) })));
        return;
      }
      if (series.mark === "line" || series.mark === "step") {
        const line = points.map((p) => (p.grey ? { ...p, y: NaN } : p));
        found.push(Plot.line(line, {
          x: "x", y: "y", dx, stroke, strokeWidth: 1.6, strokeDasharray: series.dash || null,
          curve: series.mark === "step" ? "step-after" : "linear",
        }));
      }
      const ranges = points.filter((p) => Number.isFinite(p.low) && Number.isFinite(p.high));
      const range = { dx, stroke: (p) => paint(series, p), strokeWidth: 1.4 };
      if (ranges.length) {
        found.push(named
          ? Plot.ruleY(ranges, { y: "y", x1: "low", x2: "high", ...range })
          : Plot.ruleX(ranges, { x: "x", y1: "low", y2: "high", ...range }));
      }
      if (series.mark === "step") return;
      const symbol = { tick: "tick", times: "times", ring: "circle", ringdot: "circle" }[series.symbol] || "circle";
      const position = { x: "x", y: "y", dx };
      const many = points.length > 24 && series.mark === "line";
      if (symbol === "tick") {
        found.push(Plot.tickX(points, { ...position, stroke, strokeWidth: 2.5, insetTop: 3, insetBottom: 3 }));
      } else {
        const hollow = series.symbol?.startsWith("ring") || symbol === "times";
        found.push(Plot.dot(points, {
          ...position, symbol, r: series.mark === "line" ? (many ? 2.2 : 3.4) : 4.8, strokeWidth: 1.8,
          stroke: (p) => paint(series, p), fill: hollow ? (symbol === "times" ? "none" : "var(--page)") : (p) => paint(series, p),
          fillOpacity: named && !hollow ? 0.65 : 1,
        }));
        if (series.symbol === "ringdot") found.push(Plot.dot(points, { ...position, r: 1.8, fill: stroke }));
      }
      if (sides) {
        for (const [side, labelled] of d3.group(points.filter((p) => sides.has(p)), (p) => sides.get(p))) {
          const [beside, dy, textAnchor] = SIDES[side];
          found.push(Plot.text(labelled, {
            ...position, text: "label", dx: beside, dy, textAnchor, fontSize: SIZE, fill: "currentColor",
            fontWeight: series.bold ? 700 : 400, stroke: "var(--page)", strokeWidth: 3,
          }));
        }
      }
    });
    if (bars.length) found.push(Plot.barX(bars, { x: "x", y: "y", fill: "fill", z: (p) => p.series.name, insetTop: 2, insetBottom: 2 }));
    const all = bars.length ? bars : figure.series.filter((s) => s.mark !== "step")
      .flatMap((series) => here(series).map((p) => ({ ...p, title: caption(figure, series, p) })));
    const tips = { title: "title", fontSize: 12, fill: "var(--tint)", stroke: "var(--line)" };
    found.push(bars.length
      ? Plot.tip(bars, Plot.pointerY(Plot.stackX({ x: "x", y: "y", z: (p) => p.series.name, ...tips })))
      : Plot.tip(all, Plot.pointer({ x: "x", y: "y", ...tips })));
    return found;
  }

  const SIDES = {
    top: [0, -14, "middle"], bottom: [0, 15, "middle"], right: [9, 0, "start"], left: [-9, 0, "end"],
    topright: [7, -11, "start"], bottomright: [7, 12, "start"], topleft: [-7, -11, "end"], bottomleft: [-7, 12, "end"],
  };

  // On which side of its point each label covers the least of the other labels, points and the edges.
  function place(points, spots, [left, top, right, bottom]) {
    const candidates = points.map((point, index) => {
      const [x, y] = spots[index], wide = 0.58 * SIZE * point.label.length;
      return Object.entries(SIDES).map(([side, [dx, dy, anchor]]) => {
        const begin = x + dx - (anchor === "middle" ? wide / 2 : anchor === "end" ? wide : 0);
        return [side, [begin, y + dy - 8, begin + wide, y + dy + 8]];
      });
    });
    const overlap = (a, b) => Math.max(Math.min(a[2], b[2]) - Math.max(a[0], b[0]), 0)
      * Math.max(Math.min(a[3], b[3]) - Math.max(a[1], b[1]), 0);
    // A point with its interval; of its own only the interval is in the way.
    const bodies = spots.map(([x, y, low, high]) => [x - 7, Math.min(y - 7, high), x + 7, Math.max(y + 7, low)]);
    const own = spots.map(([x, , low, high]) => [x - 1, high, x + 1, low]);
    const far = 1e4;
    const edges = [[-far, -far, left, far], [right, -far, far, far], [-far, -far, far, top], [-far, bottom, far, far]];
    const chosen = candidates.map((boxes) => boxes[0]);
    for (let sweep = 0; sweep < 3; sweep += 1) {
      candidates.forEach((boxes, index) => {
        const rest = [...edges.map((edge) => [edge, 4]), ...bodies.map((body, other) => [other === index ? own[index] : body, 1]),
          ...chosen.filter((_, other) => other !== index && (sweep || other < index)).map(([, box]) => [box, 1])];
        chosen[index] = d3.least(boxes, ([, box]) => d3.sum(rest, ([other, weight]) => weight * overlap(box, other)));
      });
    }
    // In a crowd the first keep their names, which are the best; the others say theirs when pointed at.
    const kept = new Map(), area = ([left, top, right, bottom]) => (right - left) * (bottom - top);
    points.forEach((point, index) => {
      const [side, box] = chosen[index];
      if (Array.from(kept.values()).every(([, other]) => overlap(box, other) < 0.12 * area(box))) kept.set(point, [side, box]);
    });
    return new Map(Array.from(kept, ([point, [side]]) => [point, side]));
  }

  // Whole powers of ten; where there are fewer than three, what D3 finds.
  function powers([low, high]) {
    const found = d3.range(Math.ceil(Math.log10(low)), Math.floor(Math.log10(high)) + 1).map((power) => 10 ** power);
    return found.length < 3 ? 6 : found;
  }

  function svg(figure, panel, width, first) {
    const { x = {}, y = {} } = figure;
    const longest = d3.max(y.names || [], (name) => name.length) || 0;
    const margin = y.names ? Math.min(7.2 * longest + 16, 0.42 * width) : first || !figure.panels ? 54 : 26;
    const every = figure.series.flatMap((series) => series.points);
    const extent = (key, low, high) => d3.extent(every.flatMap((p) => [p[key], p[low], p[high]]).filter(Number.isFinite));
    const stretch = (axis, domain) => {
      if (axis.log || domain[0] === undefined) return domain[0] > 0 ? [domain[0] / 1.3, domain[1] * 1.3] : undefined;
      const room = (domain[1] - domain[0] || Math.abs(domain[1]) || 1) * 0.08;
      return [axis.zero ? Math.min(0, domain[0]) : domain[0] - room, domain[1] + room];
    };
    const rules = (which) => (figure.rules || []).filter((rule) => rule.axis === which).map((rule) => rule.value);
    const scale = (axis, key) => {
      if (axis.names) return { domain: axis.names, label: axis.label || null };
      const ends = figure.series.some((s) => s.mark === "bars") ? undefined : stretch(axis, d3.extent([...extent(key, ...((key === "x") === Boolean(y.names) ? ["low", "high"] : [key, key])), ...rules(key)]));
      return {
        type: axis.log ? "log" : "linear", domain: ends, label: axis.label || null, zero: axis.zero && !axis.log,
        tickFormat: axis.log || (ends && ends[1] >= 1e5) ? counted(axis) : axis.format || undefined, labelArrow: "none",
      };
    };
    const ends = scale(x, "x"), up = scale(y, "y");
    const options = {
      width, height: figure.height, className: "drawn", style: { fontSize: `${SIZE}px` },
      marginLeft: margin, marginRight: 16, marginTop: figure.panels || up.label ? 30 : 14, marginBottom: 46,
      x: ends, y: up, color: { type: "identity" },
    };
    const ticks = ends.type === "log" ? powers(ends.domain) : Math.max(3, Math.round(width / 100));
    const base = [
      x.names ? Plot.axisX({ label: ends.label, labelAnchor: "center" })
        : [Plot.gridX({ ticks, stroke: "var(--line)", strokeOpacity: 1 }), Plot.axisX({ ticks, label: ends.label, labelArrow: "none", labelAnchor: "center", tickFormat: ends.tickFormat })],
      y.names ? Plot.axisY({ label: null, tickSize: 0, lineWidth: (margin - 12) / SIZE })
        : [Plot.gridY({ stroke: "var(--line)", strokeOpacity: 1 }), Plot.axisY({ label: first || !figure.panels ? up.label : null, labelArrow: "none", tickFormat: up.tickFormat, tickSize: 0 })],
      (figure.rules || []).map((rule) => [
        rule.axis === "x"
          ? Plot.ruleX([rule.value], { stroke: "var(--muted)", strokeDasharray: rule.dash ?? "6 4" })
          : Plot.ruleY([rule.value], { stroke: "var(--muted)", strokeDasharray: rule.dash ?? "6 4" }),
        rule.label && rule.axis === "y"
          ? Plot.text([rule], { y: "value", text: "label", frameAnchor: rule.left ? "left" : "right", textAnchor: rule.left ? "start" : "end",
            dx: rule.left ? 4 : -4, dy: rule.below ? 10 : -9, fill: "var(--muted)", fontSize: 12, stroke: "var(--page)", strokeWidth: 3 })
          : rule.label ? Plot.text([rule], { x: "value", text: "label", frameAnchor: "top", textAnchor: "start", dx: 4, dy: 4,
            fill: "var(--muted)", fontSize: 12, stroke: "var(--page)", strokeWidth: 3 }) : null,
      ]),
      panel ? Plot.text([panel], { text: (p) => p, frameAnchor: "top", dy: -20, fontWeight: 600, fill: "currentColor" }) : null,
    ];
    const labelled = figure.series.flatMap((series) => series.points.filter((point) => point.label));
    let sides = null;
    if (labelled.length) { // where labels go depends on the scales, so these are asked for first
      const bare = Plot.plot({ ...options, marks: marks(figure, panel, null) });
      const [sx, sy] = [bare.scale("x"), bare.scale("y")];
      sides = place(labelled, labelled.map((p) => [sx.apply(p.x), ...[p.y, p.low ?? p.y, p.high ?? p.y].map((value) => sy.apply(value))]),
        [margin - 2, 4, width - 2, figure.height - options.marginBottom]); // the numbers of the axis are beyond it
    }
    const made = Plot.plot({ ...options, marks: [base, marks(figure, panel, sides)] });
    // What a figure shows is said by its label and its table; names of marks (`dot`, `rule`) say nothing.
    made.setAttribute("aria-hidden", "true");
    made.querySelectorAll("[aria-label]").forEach((mark) => mark.removeAttribute("aria-label"));
    return made;
  }

  const GLYPHS = {
    circle: (c) => `M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0`, ring: () => "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0",
    ringdot: () => "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0M-1 0a1 1 0 1 0 2 0a1 1 0 1 0 -2 0", times: () => "M-4 -4L4 4M4 -4L-4 4",
    tick: () => "M0 -6V6", line: () => "M-8 0H8", bars: () => "M-6 -5H6V5H-6Z",
  };

  function key(figure) {
    const entries = figure.series.filter((series) => series.mark !== "step" && series.points.length);
    if (figure.series.some((series) => series.points.some((point) => point.grey))) {
      entries.push({ name: "not to be trusted", points: [], mark: "dots", grey: true });
    }
    const list = d3.create("ul").attr("class", "key").attr("aria-hidden", "true");
    for (const series of entries) {
      const item = list.append("li"), fill = series.grey ? "var(--faint)" : colour(series.colour);
      const glyph = series.mark === "bars" ? "bars" : series.mark === "line" ? "line" : series.symbol || "circle";
      const solid = ["circle", "bars"].includes(glyph);
      item.append("svg").attr("width", 18).attr("height", 14).attr("viewBox", "-9 -7 18 14")
        .append("path").attr("d", GLYPHS[glyph]()).attr("fill", solid ? fill : "none").attr("stroke", fill)
        .attr("stroke-width", 2).attr("stroke-dasharray", glyph === "line" ? series.dash || null : null);
      item.append("span").text(series.name);
    }
    return list.node();
  }

  function draw(node, figure) {
    const width = Math.max(node.clientWidth, 240);
    const made = [];
    if (figure.panels) {
      const most = Math.max(1, Math.min(figure.panels.length, Math.floor((width - 28) / LEAST_PANEL)));
      const columns = Math.ceil(figure.panels.length / Math.ceil(figure.panels.length / most)); // no row of one
      const each = Math.min((width - EDGE) / columns, MOST_PANEL);
      figure.panels.forEach((panel, index) => {
        const first = index % columns === 0; // it has the room that the axis takes
        made.push(svg(figure, panel, Math.floor(each) + (first ? EDGE : 0), first));
      });
    } else {
      made.push(svg(figure, null, width, true));
    }
    const legend = figure.legend === false ? [] : [key(figure)];
    node.replaceChildren(...legend, ...made);
    return node;
  }

  // Draw now, and again when the width changes.
  const widths = new ResizeObserver((entries) => {
    for (const { target, contentRect: { width } } of entries) {
      if (Math.abs(width - target.drawnAt) > 1) {
        target.drawnAt = width;
        drawn.get(target)?.();
      }
    }
  });

  function keep(node, again) {
    if (!drawn.has(node)) {
      node.drawnAt = node.clientWidth;
      widths.observe(node);
    }
    drawn.set(node, again);
    return again();
  }

  function see(node) {
    seen.unobserve(node);
    if (drawn.has(node)) return;
    const figure = JSON.parse(document.getElementById(node.dataset.figure).textContent);
    keep(node, () => draw(node, figure));
  }

  const waiting = Array.from(document.querySelectorAll("[data-figure]"));
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) see(entry.target);
  }, { rootMargin: "400px" });
  waiting.forEach((node) => seen.observe(node));
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("main details").forEach((part) => { part.open = true; });
    waiting.forEach(see);
  });
  function open() {
    const part = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)))?.closest("details");
    if (part) {
      part.open = true;
      part.scrollIntoView();
    }
  }
  window.addEventListener("hashchange", open);
  open();
  document.querySelectorAll(".save").forEach((buttons) => { buttons.hidden = false; });

  // A figure by itself: what the style sheet gives it is written into it, and its key stands on top.
  function alone(node) {
    const page = getComputedStyle(document.body);
    const width = node.clientWidth, parts = [];
    let x = 6, y = 18;
    const items = Array.from(node.querySelectorAll(".key li"), (item) => [item.querySelector("svg"), item.textContent]);
    for (const [glyph, text] of items) {
      const wide = 30 + 7 * text.length;
      if (x + wide > width && x > 6) [x, y] = [6, y + 20];
      parts.push([glyph, x, y - 11], [text, x + 24, y]);
      x += wide;
    }
    const top = items.length ? y + 8 : 0;
    const box = node.getBoundingClientRect();
    const plots = Array.from(node.querySelectorAll("svg.drawn"));
    const offset = d3.min(plots, (plot) => plot.getBoundingClientRect().top) - box.top;
    const height = d3.max(plots, (plot) => plot.getBoundingClientRect().bottom) - box.top - offset + top;
    const out = d3.create("svg").attr("xmlns", "http://www.w3.org/2000/svg").attr("width", width).attr("height", height)
      .attr("viewBox", `0 0 ${width} ${height}`).attr("font-family", "system-ui, sans-serif").attr("font-size", SIZE);
    out.append("rect").attr("width", "100%").attr("height", "100%").attr("fill", page.backgroundColor);
    for (const [what, left, at] of parts) {
      if (typeof what === "string") out.append("text").attr("x", left).attr("y", at).attr("fill", page.color).text(what);
      else out.append(() => still(what)).attr("x", left).attr("y", at);
    }
    for (const plot of plots) {
      const { left, top: above } = plot.getBoundingClientRect();
      out.append(() => still(plot)).attr("x", left - box.left).attr("y", above - box.top - offset + top);
    }
    return { text: new XMLSerializer().serializeToString(out.node()), width, height };
  }

  function still(element) {
    const copy = element.cloneNode(true);
    const originals = [element, ...element.querySelectorAll("*")], copies = [copy, ...copy.querySelectorAll("*")];
    originals.forEach((from, index) => {
      const style = getComputedStyle(from);
      for (const name of ["fill", "stroke"]) {
        if (from.hasAttribute(name)) copies[index].setAttribute(name, style[name]);
      }
    });
    copy.querySelectorAll("style").forEach((sheet) => sheet.remove());
    return copy;
  }

  function download(blob, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-save]");
    if (!button) return;
    const node = document.getElementById(button.dataset.save);
    if (node.dataset.figure) see(node);
    const { text, width, height } = alone(node);
    const file = new Blob([text], { type: "image/svg+xml" });
    if (button.dataset.format === "svg") {
      download(file, `${button.dataset.save}.svg`);
      return;
    }
    const image = new Image(), address = URL.createObjectURL(file);
    await new Promise((done, failed) => Object.assign(image, { onload: done, onerror: failed, src: address }));
    const canvas = Object.assign(document.createElement("canvas"), { width: 2 * width, height: 2 * height });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    URL.revokeObjectURL(address);
    canvas.toBlob((made) => download(made, `${button.dataset.save}.png`));
  });

  return { draw, keep };
})();
