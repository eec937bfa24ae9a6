"use strict";
// Two methods side by side, from the verdicts that the page carries. The address is `#compare=first,second`.
(() => {
  const { models, margin } = JSON.parse(document.getElementById("pairs").textContent);
  const form = document.getElementById("pair");
  const $ = (id) => document.getElementById(id);
  const three = (value) => Number(value.toPrecision(3)).toLocaleString("en");
  const bytes = (value) => (value >= 1e9 ? `${three(value / 1e9)} GB` : value >= 1e6 ? `${three(value / 1e6)} MB` : `${three(value / 1e3)} kB`);
  const COSTS = {
    parameters: ["Trainable parameters", (value) => value.toLocaleString("en")], memory: ["Peak training memory", bytes],
    seconds: ["Training time", (value) => (value >= 120 ? `${three(value / 60)} min` : `${three(value)} s`)],
    latency: ["Latency, base = ×1", (value) => `×${value.toFixed(3)}`],
    merged: ["Latency, merged where it merges", (value) => `×${value.toFixed(3)}`], storage: ["Checkpoint", bytes],
  };
  const score = (value) => (value === null || value === undefined ? "–" : value.toFixed(3).replace("-", "−"));
  const signed = (value) => (value > 0 ? `+${score(value)}` : score(value));

  function element(name, text, kind) {
    const node = document.createElement(name);
    if (text !== undefined) node.append(text);
    if (kind) node.className = kind;
    return node;
  }

  const head = (table, names) => {
    const row = element("tr");
    names.forEach((name) => row.append(Object.assign(element("th", name, name === "Verdict" ? "name" : undefined), { scope: "col" })));
    table.tHead.replaceChildren(row);
  };

  // A verdict is kept once for a pair, from the first of the two in the list of methods.
  function verdict(part, a, b) {
    const i = part.labels.indexOf(a), j = part.labels.indexOf(b);
    const found = part.verdicts.find(([first, second]) => (first === i && second === j) || (first === j && second === i));
    if (!found) return null;
    const [first, , value, low, high, sign, good, swappedGood, pairs, lost, runs, otherLost, otherRuns] = found;
    return first === i
      ? { value, low, high, sign, good, other: swappedGood, pairs, lost, runs, otherLost, otherRuns }
      : {
        value: value === null ? null : -value, low: high === null ? null : -high, high: low === null ? null : -low,
        sign: -sign, good: swappedGood, other: good, pairs, lost: otherLost, runs: otherRuns, otherLost: lost, otherRuns: runs,
      };
  }

  function decided(found, a, b) {
    if (!found) return "not compared";
    if (found.sign) return `${found.sign > 0 ? a : b} is better`;
    if (found.good && found.other) return "each as good as the other";
    if (found.good) return `${a} is at least as good as ${b}`;
    if (found.other) return `${b} is at least as good as ${a}`;
    return found.value === null ? "not decided: no seed with which both learned" : found.low === null ? "not decided: too few pairs for an interval" : "not decided";
  }

  function show() {
    const model = models.find(({ name }) => name === form.elements.model.value) || models[0];
    const a = form.elements.first.value, b = form.elements.second.value;
    const parts = model.parts.filter(({ labels }) => labels.includes(a) && labels.includes(b));
    const rows = parts.map((part) => ({ part, found: verdict(part, a, b) }));
    const over = rows.find(({ part }) => !part.task) || (rows.length === 1 ? rows[0] : null);
    const tasks = rows.filter(({ part }) => part.task);
    const lead = element("p", "", "pick");
    lead.append(over ? `${a} and ${b}: ${decided(over.found, a, b)}` : `${a} and ${b}`, over ? `, over ${over.part.title}.` : ".");
    const counts = new Map();
    tasks.forEach(({ part, found }) => {
      const said = decided(found, a, b).split(":")[0];
      counts.set(said, [...(counts.get(said) || []), part.title]);
    });
    const told = element("p", `By task: ${Array.from(counts, ([said, names]) => `${said} on ${names.join(", ")}`).join("; ")}.`);
    const risk = over?.found ? element("p", `Runs that learned nothing: ${a} ${over.found.lost ?? "?"} of ${over.found.runs}, ${b} ${over.found.otherLost ?? "?"} of ${over.found.otherRuns}. Differences are of the runs in which both learned; over all tasks these are pooled, so that more can be decided than on one.`) : "";
    $("said").replaceChildren(a === b ? element("p", "Choose two different methods.") : lead, ...(a === b ? [] : [told, risk]));

    const measured = tasks.filter(({ found }) => found && found.value !== null);
    $("pair-caption").textContent = `${a} less ${b} by task, with its interval, cut where it is wider than the figure; right of the line ${a} scores more`
      + (measured.length < tasks.length ? `. Not drawn, as no seed learned with both: ${tasks.filter((row) => !measured.includes(row)).map(({ part }) => part.title).join(", ")}` : "");
    Figures.keep($("pair-figure"), () => {
      if (!measured.length) {
        $("pair-figure").textContent = "Nothing to draw: there is no task on which both learned.";
        return;
      }
      // An interval from very few pairs may be wider than any score: it is cut at the edge, and the table has its ends.
      const most = Math.max(0.05, 1.5 * Math.max(...measured.map(({ found }) => Math.abs(found.value))), 3 * margin);
      const cut = (value) => (value === null ? null : Math.max(-most, Math.min(most, value)));
      Figures.draw($("pair-figure"), {
        height: 90 + 34 * measured.length, legend: false,
        x: { label: "difference of the score" }, y: { names: measured.map(({ part }) => part.title) },
        rules: [{ axis: "x", value: 0, dash: "" }, { axis: "x", value: -margin, dash: "2 3" }, { axis: "x", value: margin, dash: "2 3" }],
        series: [{ name: `${a} less ${b}`, points: measured.map(({ part, found }) => ({
          x: found.value, y: part.title, low: cut(found.low), high: cut(found.high), note: decided(found, a, b),
        })) }],
      });
    });

    const table = $("verdicts");
    head(table, ["Task", "Verdict", "Difference", a, b, "Learned nothing"]);
    table.tHead.rows[0].cells[2].append(element("span", "where both learned", "sub"));
    table.tBodies[0].replaceChildren(...rows.map(({ part, found }) => {
      const row = element("tr");
      const name = element("th");
      name.scope = "row";
      name.append(part.page ? Object.assign(element("a", part.title), { href: form.dataset.root + part.page }) : part.title);
      name.append(element("span", part.metric, "sub"));
      const difference = element("td", found && found.value !== null ? signed(found.value) : "–");
      if (found && found.low !== null) difference.append(element("span", `${signed(found.low)} to ${signed(found.high)}, ${found.pairs} pairs`, "sub"));
      row.append(name, element("td", decided(found, a, b), "name"), difference,
        element("td", score(part.scores[part.labels.indexOf(a)])), element("td", score(part.scores[part.labels.indexOf(b)])),
        element("td", found ? `${found.lost ?? "?"} of ${found.runs}, ${found.otherLost ?? "?"} of ${found.otherRuns}` : "–"));
      return row;
    }));
    head($("costs"), ["Cost", a, b, `${b} / ${a}`]);
    const of = (label) => model.costs[label] || {};
    $("costs").tBodies[0].replaceChildren(...Object.entries(COSTS).map(([name, [title, shown]]) => {
      const row = element("tr"), [one, two] = [of(a)[name], of(b)[name]];
      const cell = (value) => element("td", value === null || value === undefined ? "–" : shown(value));
      row.append(Object.assign(element("th", title), { scope: "row" }), cell(one), cell(two),
        element("td", one && two ? `×${three(two / one)}` : "–"));
      return row;
    }));
    document.title = `${a} and ${b}`;
  }

  const fill = (select, entries) => select.replaceChildren(...entries.map(([value, text]) => new Option(text, value)));

  function load() {
    const known = Address.read();
    const asked = (known.get("compare") || "").split(",");
    fill(form.elements.model, models.map(({ name, called }) => [name, called]));
    form.elements.model.value = models.some(({ name }) => name === known.get("model")) ? known.get("model") : models[0].name;
    form.elements.model.closest("label").hidden = models.length < 2;
    methods(asked);
  }

  // A label may hold commas, so what is asked for is found among the pairs there are.
  function methods(asked) {
    const { labels } = models.find(({ name }) => name === form.elements.model.value).parts[0];
    const whole = asked.join(",");
    const pair = labels.flatMap((a) => labels.map((b) => [a, b])).find(([a, b]) => `${a},${b}` === whole);
    for (const [at, name] of ["first", "second"].entries()) {
      fill(form.elements[name], labels.map((label) => [label, label]));
      form.elements[name].value = pair ? pair[at] : labels[Math.min(at, labels.length - 1)];
    }
    show();
  }

  function state() {
    Address.write({
      compare: `${form.elements.first.value},${form.elements.second.value}`,
      model: form.elements.model.value === models[0].name ? null : form.elements.model.value,
    });
  }

  form.addEventListener("change", ({ target }) => {
    if (target.name === "model") methods([form.elements.first.value, form.elements.second.value]);
    state();
    show();
  });
  $("swap").addEventListener("click", () => {
    const { first, second } = form.elements;
    [first.value, second.value] = [second.value, first.value];
    state();
    show();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  Address.onChange(load);
  form.hidden = false;
  load();
  performance.mark("figure");
})();
