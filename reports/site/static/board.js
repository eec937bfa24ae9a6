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
    const { part, label, model, task, method } = row.dataset;
    const marks = Object.fromEntries(
      ["parameters", "memory", "seconds", "latency", "merged", "storage"]
        .map((key) => [key, row.getAttribute(`data-mark-${key}`)]),
    );
    return { ...read, part, label, model, task, method, marks };
  });

  const table = Tables.make(node);
  const filters = document.querySelector("form[data-for=board]");
  if (filters) {
    const chosen = () => Array.from(filters.querySelectorAll("select")).filter((select) => select.value);
    table.search.fixed("filters", (text, data, index) =>
      chosen().every((select) => {
        const value = rows[index][select.name];
        return "limit" in select.dataset
          ? value !== null && value <= Number(select.value)
          : value === select.value;
      }),
    );
    filters.addEventListener("change", () => {
      table.draw();
      document.dispatchEvent(new CustomEvent("filtered", { detail: Object.fromEntries(new FormData(filters)) }));
    });
    filters.addEventListener("reset", () => setTimeout(() => table.draw()));
    filters.addEventListener("submit", (event) => event.preventDefault());
    filters.hidden = false;
  }

  return { rows };
})();
