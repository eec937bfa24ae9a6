"use strict";
// The first screen: limits in, a method out, with how sure that is and how far it reaches.
(() => {
  const models = JSON.parse(document.getElementById("evidence").textContent);
  const form = document.getElementById("limits");
  const $ = (id) => document.getElementById(id);
  const root = form.dataset.root;
  const COSTS = {
    parameters: ["trainable parameters", "max-params"], memory: ["peak training memory", "max-memory"],
    seconds: ["training time", "max-time"], latency: ["latency", "max-latency"],
    merged: ["latency, merged where it merges", "max-latency"], storage: ["checkpoint", "max-checkpoint"],
  };
  const LOGARITHMIC = new Set(["parameters", "storage"]);
  const SLIDERS = ["memory", "parameters", "seconds", "latency", "storage"];
  const three = (value) => String(Number(value.toPrecision(3)));
  const bytes = (value) => (value >= 1e9 ? `${three(value / 1e9)} GB` : value >= 1e6 ? `${three(value / 1e6)} MB` : `${three(value / 1e3)} kB`);
  const SHOWN = {
    parameters: (value) => (value >= 1e9 ? `${three(value / 1e9)} B` : value >= 1e6 ? `${three(value / 1e6)} M` : value >= 1e3 ? `${three(value / 1e3)} k` : three(value)),
    memory: bytes, storage: bytes, latency: (value) => `×${three(value)}`, merged: (value) => `×${three(value)}`,
    seconds: (value) => (value >= 3600 ? `${three(value / 3600)} h` : value >= 120 ? `${three(value / 60)} min` : `${three(value)} s`),
  };
  const times = (value) => `×${value.toFixed(3)}`;
  const EXACT = { latency: times, merged: times }; // so that ×1.063 is seen to be over ×1.06
  const UNITS = { k: 1e3, kb: 1e3, m: 1e6, mb: 1e6, g: 1e9, gb: 1e9, b: 1e9, min: 60, h: 3600, s: 1, "": 1 };

  // `600MB`, `5 min`, `×1.05`, `30k` as a number; null where it is none.
  function parsed(text) {
    const found = /^[×x]?([\d.]+(?:e\d+)?)\s*([a-z]*)$/i.exec((text || "").trim());
    const unit = found ? UNITS[found[2].toLowerCase()] : undefined;
    return unit === undefined || !(Number(found[1]) > 0) ? null : Number(found[1]) * unit;
  }

  const MANY = 8;
  function list(names) {
    const shown = names.length > MANY ? [...names.slice(0, MANY - 1), `${names.length - MANY + 1} more`] : names;
    return shown.length < 2 ? shown.join("") : `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}`;
  }
  const limits = new Map(); // cost -> the most of it
  let model, part, stops;

  // Round numbers between the least and the most that any method costs, so that every step can change the answer.
  function steps(name) {
    const values = part.candidates.map(({ costs }) => costs[name]).filter((value) => value > 0);
    if (!values.length) return [];
    const [low, high] = d3.extent(values);
    const grid = name === "latency"
      ? [...d3.range(101, 130).map((value) => value / 100), ...d3.range(130, 1000, 10).map((value) => value / 100)]
      : d3.range(0, 13).flatMap((power) => [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8].map((digit) => Number(`${digit}e${power}`)));
    return grid.filter((value) => value >= low * 0.85 && value < high);
  }

  function sliders() {
    stops = Object.fromEntries(SLIDERS.map((name) => [name, steps(name)]));
    for (const name of SLIDERS) {
      const input = form.elements[name];
      const most = d3.max(part.candidates, ({ costs }) => costs[name]);
      input.max = stops[name].length;
      input.closest("label").hidden = !stops[name].length;
      const limit = limits.get(name);
      const at = limit === undefined ? -1 : d3.bisectRight(stops[name], limit) - 1;
      input.value = limit === undefined || limit >= most ? stops[name].length : Math.max(at, 0);
      // The most that any method takes, so that a limit beyond it is seen to rule nothing out.
      const said = limit === undefined ? `all ≤ ${SHOWN[name](most || 0)}` : `≤ ${SHOWN[name](limit)}`;
      $(`${name}-said`).textContent = said;
      input.setAttribute("aria-valuetext", limit === undefined ? `no limit; every method takes ${said.slice(4)}` : said);
    }
    form.elements.merge.closest("label").hidden = !stops.latency.length;
  }

  function asked() {
    const found = {};
    for (const name of SLIDERS) {
      if (limits.has(name)) found[name === "latency" && form.elements.merge.checked ? "merged" : name] = limits.get(name);
    }
    return found;
  }

  const framed = document.body.classList.contains("alone"); // on somebody else's page: links leave the frame
  const anchor = (path, textContent) => Object.assign(document.createElement("a"), {
    href: root + path, textContent, ...(framed && { target: "_blank", rel: "noopener" }),
  });
  const link = (label) => anchor(model.pages[label], label);
  function paragraph(...pieces) {
    const node = document.createElement("p");
    node.append(...pieces.filter((piece) => piece !== ""));
    return node;
  }

  // What the limits cost: the pick beside the method that would lead without them.
  function given(pick, by, outs) {
    const first = outs.length ? by.get(Choice.choose(part, {}).leader) : null;
    if (!first || !outs.some(([label]) => label === first.label)) return [];
    const [ours, theirs] = [by.get(pick), first].map(({ score }) => score[0]);
    if (ours === null || theirs === null) return [];
    const code = part.verdicts[part.candidates.indexOf(first)][part.candidates.indexOf(by.get(pick))];
    const verdict = code === "w" ? `${pick} is decided to be worse` : code === "s" ? `${pick} is decided to be as good` : "not decided";
    const strong = Object.assign(document.createElement("strong"), { textContent: "What the limits cost: " });
    const said = [strong, `${three(ours)} in place of ${three(theirs)} with ${first.label}, the first without limits (${part.metric}, every run counted); ${verdict}`];
    if (!form.dataset.compare) return [[...said, "."]];
    const view = new URLSearchParams({ compare: `${pick},${first.label}`, ...(model !== models[0] && { model: model.name }) });
    const beside = anchor(`${form.dataset.compare}#${view.toString().replaceAll("%2C", ",")}`, "task by task");
    return [[...said, ": ", beside, "."]];
  }

  // Whether some run learned nothing: where a verdict is missing, that is why, and not that the scores are alike.
  const failed = (label) => part.candidates.find((one) => one.label === label).lost > 0;

  function said(choice) {
    const { pick, certainty, leader, alike, open, worse } = choice;
    const by = new Map(part.candidates.map((one) => [one.label, one]));
    const outs = Object.entries(choice.ruledOut);
    const rest = part.candidates.length - outs.length;
    // Rows of one method in several settings are not so many methods.
    const several = new Set(part.candidates.map(({ label }) => model.pages[label])).size < part.candidates.length;
    const noun = several ? "setting" : "method";
    const head = document.createElement("p");
    head.className = "pick";
    const lines = [];
    const verdictOn = part.task ? `on ${part.title}` : `over ${part.title}`;
    if (pick) {
      head.append(certainty === "decided" ? `On ${model.called} pick ` : certainty === "only" ? "Only " : `Best guess on ${model.called}: `, link(pick), certainty === "only" ? " fits." : ".");
      const chip = document.createElement("span");
      chip.className = `chip ${certainty}`;
      chip.textContent = { decided: "decided", leads: "first, not proven best", only: "only one fits" }[certainty];
      head.append(" ", chip);
      const rank = by.get(leader).rank.toFixed(1);
      const who = pick === leader ? "it has" : `${leader} has`;
      const before = part.candidates.filter((one) => !(one.label in choice.ruledOut) && one.rank !== null && one.rank < by.get(leader).rank);
      const beaten = before.length ? `, of those that no other is decided to be better than (${list(before.map(({ label, rank: own }) => `${label}, ${own.toFixed(1)},`))} ${before.length > 1 ? "are" : "is"} not one)` : "";
      const among = outs.length ? `Of the ${rest} of ${part.candidates.length} ${noun}s that fit` : `Of ${rest} ${noun}s`;
      lines.push(certainty === "only"
        ? `Every other method is over a limit; how good ${pick} is beside them is not asked.`
        : `${among}, ${who} the best average rank ${verdictOn}: ${rank}, where 1 is best${beaten}.`
          + (pick === leader ? "" : ` ${pick} is decided to be as good and takes the least ${COSTS[choice.binding][0]}.`)
          + (worse.length ? ` Decided to be worse: ${list(worse)}.` : ""));
      if (open.length) {
        const [unsteady, others] = [open.filter(failed), open.filter((label) => !failed(label))];
        const share = (label) => `${label} (${by.get(label).lost} of ${by.get(label).runs})`;
        const told = others.length ? `The runs do not tell it from ${list(others)}` : "";
        const nor = unsteady.length ? `${told ? "; no" : "No"} verdict on ${list(unsteady.map(share))}, of whose runs some learned nothing` : "";
        lines.push(`${told}${nor}${alike.length ? `; as good: ${list(alike)}` : ""}.`);
      }
      else if (alike.length) lines.push(`As good as the best, decided: ${list(alike)}.`);
    } else if (!rest) {
      head.textContent = "No method fits these limits.";
    } else {
      head.append("Too few runs to pick one.");
      const fit = part.candidates.filter(({ label }) => !choice.ruledOut[label]);
      const first = leader ? by.get(leader) : fit.find(({ score }) => score[0] !== null);
      const told = first && first.score[0] !== null ? `First so far is ${first.label} with ${three(first.score[0])} (${part.metric})` : "No score is known";
      lines.push(`${told}, of ${fit.length === 1 ? `the one ${noun} that fits` : `${fit.length} ${noun}s that fit`}. That may be chance: it takes three seeds of every ${noun} on every task to tell them apart.`);
      if (model.more) {
        const next = document.createElement("code");
        next.textContent = model.more.command;
        const time = model.more.seconds ? `, about ${SHOWN.seconds(model.more.seconds)} on the same machine` : "";
        lines.push(["Next: ", next, ` trains the seeds that are missing${time}, and keeps what is done. A study of your own is named by its file.`]);
      }
    }
    if (pick) lines.push(...given(pick, by, outs));
    const risky = pick && by.get(pick);
    if (risky && risky.lost !== null && risky.runs) {
      const strong = document.createElement("strong");
      strong.textContent = `${risky.lost} of its ${risky.runs} runs learned nothing`;
      const percent = risky.atMost === null ? "" : `${Math.round(100 * risky.atMost)} %`;
      lines.push([strong, `${risky.lost ? ", no better than the best constant answer" : ""}${percent ? ` (95 % interval: up to ${percent} of all).` : "."}`]);
    }
    if (outs.length) {
      lines.push(`Ruled out: ${outs.map(([label, names]) => `${label} (${names.map((name) => (by.get(label).costs[name] ? `${COSTS[name][0].split(",")[0]} ${EXACT[name] ? EXACT[name](by.get(label).costs[name]) : SHOWN[name](by.get(label).costs[name])}` : `${COSTS[name][0].split(",")[0]} not known`)).join(", ")})`).join("; ")}.`);
    }
    const reach = document.createElement("p");
    reach.className = "reach";
    reach.textContent = `Known from ${part.reach}. Of other models, tasks and amounts of data it says nothing`;
    if (framed || !form.dataset.ours) reach.append(".");
    else {
      const ask = Object.assign(document.createElement("button"), { type: "button", className: "link", textContent: "ask for yours" });
      ask.addEventListener("click", () => {
        $("yours").open = true;
        $("yours").scrollIntoView({ block: "start" });
        $("yours").querySelector("summary").focus({ preventScroll: true });
      });
      reach.append(": ", ask, ".");
    }
    $("answer").replaceChildren(head, ...lines.map((line) => (Array.isArray(line) ? paragraph(...line) : paragraph(line))), reach);
  }

  function figure(choice) {
    const cost = form.elements.x.value;
    const scaled = (value) => (cost === "memory" ? value / 1e6 : value);
    const unit = { memory: ", MB", seconds: ", seconds", storage: ", bytes", latency: ", untouched base = 1", merged: ", untouched base = 1" }[cost] || "";
    const points = part.candidates.filter(({ costs, score }) => costs[cost] > 0 && score[0] !== null).map(({ label, costs, score, lost, runs }) => ({
      x: scaled(costs[cost]), y: score[0], low: score[1], high: score[2], label,
      note: lost ? `${lost} of ${runs} runs learned nothing` : "",
    }));
    if (!points.length) {
      $("figure").textContent = "Nothing to draw: one of the two was not measured.";
      return;
    }
    const kinds = [
      ["picked", (label) => label === choice.pick, "circle", 1, true],
      ["leads", (label) => label === choice.leader && label !== choice.pick, "circle", 0],
      ["decided as good", (label) => choice.alike.includes(label) && label !== choice.pick, "circle", 2],
      ["not told from it", (label) => choice.open.includes(label) && !failed(label), "ring", 0],
      ["no verdict: runs learned nothing", (label) => choice.open.includes(label) && failed(label), "ring", 4],
      ["decided worse", (label) => choice.worse.includes(label), "times", 0],
      ["over a limit", (label) => label in choice.ruledOut, "ring", -1],
      [choice.pick ? "not ranked" : "too few runs to rank", (label) => !(label in choice.ruledOut) && ![choice.pick, choice.leader, ...choice.alike, ...choice.open, ...choice.worse].includes(label), "ring", choice.pick ? 7 : 0],
    ];
    const limit = asked()[cost];
    const rules = limit === undefined ? [] : [{ axis: "x", value: scaled(limit), label: "limit", dash: "" }];
    if (typeof part.floor === "number") rules.push({ axis: "y", value: part.floor, label: "best constant answer", below: true });
    Figures.draw($("figure"), {
      height: innerWidth < 640 ? 240 : 330, rules,
      x: { label: COSTS[cost][0] + unit + (LOGARITHMIC.has(cost) ? " (log scale)" : ""), log: LOGARITHMIC.has(cost) },
      y: { label: part.metric },
      series: kinds.map(([name, wanted, symbol, colour, bold]) => ({ name, symbol, colour, bold, points: points.filter(({ label }) => wanted(label)) })),
    });
  }

  // The same view as a command, as the first page, and as a frame for other pages.
  function command() {
    const view = location.hash.includes("=") ? location.hash : "";
    if (framed) {
      $("whole").href = $("whole").href.replace(/#.*/, "") + view;
      return;
    }
    const here = new URL(form.dataset.frame, location.href);
    here.hash = view;
    $("frame").textContent = `<iframe src="${here}" title="${document.title.replaceAll('"', "&quot;")}" width="100%" height="720" style="border:0"></iframe>`;
    const found = asked();
    const short = { memory: bytes, storage: bytes };
    const options = Object.entries(found).map(([name, value]) => `--${COSTS[name][1]} ${(short[name] ? short[name](value) : name === "parameters" ? String(value) : three(value)).replace(" ", "")}`);
    if ("merged" in found) options.push("--merge-allowed");
    const sizes = model.sizes ? [`--batch ${model.sizes[0]} --length ${model.sizes[1]}`] : [];
    $("command").textContent = ["paretune choose", model.name, part.task ? `--task ${part.task}` : "", ...options, ...sizes].filter(Boolean).join(" ");
  }

  function update() {
    sliders();
    const choice = Choice.choose(part, asked());
    $("answer").dataset.pick = choice.pick || "";
    said(choice);
    Figures.keep($("figure"), () => figure(choice));
    command();
  }

  function state() {
    const entries = Object.fromEntries(SLIDERS.map((name) => [
      COSTS[name][1], limits.has(name) ? SHOWN[name](limits.get(name)).replace(" ", "").replace("×", "") : null,
    ]));
    Address.write({
      ...entries, merge: form.elements.merge.checked ? "1" : null, task: part === usual() ? null : part.task || "all",
      model: model === models[0] ? null : model.name, x: form.elements.x.value === "parameters" ? null : form.elements.x.value,
    });
  }

  const options = (select, entries) => select.replaceChildren(...entries.map(([value, text]) => new Option(text, value)));

  // All tasks where the runs rank methods on all of them, else the first task on which they do.
  const usual = () => model.parts.find(({ candidates }) => candidates.some(({ rank }) => rank !== null)) || model.parts[0];

  function pick(name, task) {
    model = models.find((one) => one.name === name) || models[0];
    part = model.parts.find((one) => one.task === (task === "all" ? "" : task)) || usual();
    options(form.elements.model, models.map((one) => [one.name, one.called]));
    form.elements.model.value = model.name;
    form.elements.model.closest("label").hidden = models.length < 2;
    options(form.elements.task, model.parts.map((one) => [one.task, one.title]));
    form.elements.task.value = part.task;
    form.elements.task.closest("label").hidden = model.parts.length < 2;
  }

  function load() {
    const known = Address.read();
    pick(known.get("model"), known.get("task"));
    limits.clear();
    for (const name of SLIDERS) {
      const value = parsed(known.get(COSTS[name][1]));
      if (value !== null) limits.set(name, value);
    }
    form.elements.merge.checked = known.get("merge") === "1";
    form.elements.x.value = known.get("x") in COSTS ? known.get("x") : "parameters";
    update();
  }

  form.addEventListener("input", ({ target }) => {
    if (SLIDERS.includes(target.name)) {
      const at = Number(target.value);
      if (at >= stops[target.name].length) limits.delete(target.name);
      else limits.set(target.name, stops[target.name][at]);
    } else if (target.name === "model" || target.name === "task") {
      pick(form.elements.model.value, target.name === "task" ? target.value : null);
    }
    state();
    update();
  });
  form.addEventListener("reset", () => setTimeout(() => {
    limits.clear();
    pick(model.name, part.task);
    state();
    update();
  }));
  form.addEventListener("submit", (event) => event.preventDefault());
  Address.onChange(load);
  document.querySelectorAll(".chooser [hidden], .embed[hidden]").forEach((node) => { node.hidden = false; });
  load();
  performance.mark("figure");
})();
