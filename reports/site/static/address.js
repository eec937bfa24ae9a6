"use strict";
// What a reader chose, kept behind the # of the address, so that a view can be sent.
const Address = (() => {
  const read = () => new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");

  // Entries that are empty are left out; other names that stand there stay.
  function write(entries) {
    const known = read();
    for (const [name, value] of Object.entries(entries)) {
      if (value === null || value === undefined || value === "") known.delete(name);
      else known.set(name, value);
    }
    const said = known.toString();
    if (said || location.hash.includes("=")) {
      history.replaceState(null, "", said ? `#${said.replaceAll("%2C", ",")}` : location.pathname + location.search);
    }
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const text = document.getElementById(button.dataset.copy)?.textContent ?? button.dataset.copy;
    const before = Array.from(button.childNodes); // what only a screen reader is told stays unseen
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch { // no permission: what would have been copied is shown
      window.prompt("Copy:", text);
    }
    setTimeout(() => button.replaceChildren(...before), 1500);
  });
  document.querySelectorAll("[data-copy]").forEach((button) => { button.hidden = false; });

  // A jump to a part of the page (`#content`) is no other view.
  const onChange = (listener) => window.addEventListener("hashchange", () => {
    if (!location.hash || location.hash.includes("=")) listener();
  });

  return { read, write, onChange };
})();
