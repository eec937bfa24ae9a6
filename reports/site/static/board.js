"use strict";
// The main table with its filters. Rows are known by their data attributes, which the figure reads as well.
const Board = (() => {
  const node = document.getElementById("board");
  const number = (value) => (value === undefined || value === "" ? null : Number(value));
  const rows = Array.from(node.tBodies[0].rows, (row) => {
    const read = Object.fromEntries(
      ["score", "low", "high", "parameters", "memory", "seconds", "latency", "merged", "storage"]
        .map((key) => [key, number(row.dataset[key])]),
    );
    read.merged ??= read.latency; // what does not merge is served as it is
    const { part, label, model, called, task, method } = row.dataset;
    const marks = Object.fromEntries(
      ["parameters", "memory", "seconds", "latency", "merged", "storage"]
        .map((key) => [key, row.getAttribute(`data-mark-${key}`)]),
    );
    return { ...read, part, label, model, called, task, method, marks };
  });

  const table = Tables.make(node);
  const filters = document.querySelector("form[data-for=board]");
  if (filters) {
    const fields = Array.from(filters.querySelectorAll("select, input[type=search]"));
    const words = rows.map((row) => `${row.label} ${row.task} ${row.model} ${row.called}`.toLowerCase());
    const chosen = () => fields.filter((field) => field.value);
    table.search.fixed("filters", (text, data, index) =>
      chosen().every((field) => {
        if (field.name === "search") return field.value.toLowerCase().split(/\s+/).every((word) => words[index].includes(word));
        const value = rows[index][field.name];
        return "limit" in field.dataset
          ? value !== null && value <= Number(field.value)
          : value === field.value;
      }),
    );
    const redraw = () => {
      table.draw();
      document.dispatchEvent(new CustomEvent("filtered", { detail: Object.fromEntries(new FormData(filters)) }));
    };
    const load = () => {
      const known = Address.read();
      for (const field of fields) {
        field.value = known.get(field.name) ?? "";
        if (field.selectedIndex === -1) field.value = ""; // a value that is not on this board
      }
      redraw();
    };
    const changed = () => {
      Address.write(Object.fromEntries(fields.map((field) => [field.name, field.value])));
      redraw();
    };
    filters.addEventListener("input", changed);
    filters.addEventListener("reset", () => setTimeout(changed));
    filters.addEventListener("submit", (event) => event.preventDefault());
    Address.onChange(load);
    filters.hidden = false;
    if ([...Address.read().keys()].length) load();
  }

  return { rows };
})();
