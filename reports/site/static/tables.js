"use strict";
// Makes every table of class `sorted` sortable; long ones get pages.
const Tables = (() => {
  // What was not measured comes last, whichever way a column is sorted.
  const known = (value) => value !== "" && value !== null && !Number.isNaN(Number(value));
  const order = (sign) => (a, b) => (known(a) && known(b) ? sign * (a - b) : known(b) - known(a));
  DataTable.type("measured", { order: { asc: order(1), desc: order(-1) } });

  function make(table, options = {}) {
    const long = table.tBodies[0].rows.length > Number(table.dataset.pageLength);
    const made = new DataTable(table, {
      order: [],
      autoWidth: false,
      // Said, so that no cell need be looked at to find out; the search of DataTables is not used.
      columns: Array.from(table.tHead.rows[0].cells, (cell) => ({
        type: cell.classList.contains("name") ? "string" : "measured", searchable: false,
        orderable: !cell.classList.contains("plain"),
      })),
      paging: long,
      pageLength: Number(table.dataset.pageLength),
      layout: {
        topStart: null, topEnd: null,
        bottomStart: "info", bottomEnd: long ? "paging" : null,
      },
      language: {
        info: "Rows _START_ to _END_ of _TOTAL_",
        infoEmpty: "No row is within these limits",
        infoFiltered: "(of _MAX_)",
        zeroRecords: "No row is within these limits",
      },
      ...options,
    });
    table.classList.add("ready"); // until now the style kept rows of later pages out of the layout
    performance.mark("table");
    return made;
  }
  document.querySelectorAll("table.sorted:not(#board)").forEach((table) => make(table));
  return { make };
})();
