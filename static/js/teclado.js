// Keys: "/" goes to the search, "?" tells them all; in a table.navegable the arrows walk the rows (Enter is the link's own), "x" marks one, "a" opens its act and "m" goes to what is done with the marked. The mouse needs none of it.
(() => {
  "use strict";
  const marca = (e) => e.target.matches("table.navegable input[type=checkbox]");
  const escribiendo = (e) => (e.target.closest("input, textarea, select, [contenteditable], dialog") && !marca(e)) || e.ctrlKey || e.metaKey || e.altKey;

  const mover = (paso) => {
    const enlaces = [...document.querySelectorAll("table.navegable tbody tr")].map((fila) => fila.querySelector("a[href]")).filter(Boolean);
    if (!enlaces.length) return false;
    const fila = document.activeElement.closest("tr");
    const actual = enlaces.findIndex((a) => a.closest("tr") === fila);
    const siguiente = actual < 0 ? (paso > 0 ? 0 : enlaces.length - 1) : Math.min(Math.max(actual + paso, 0), enlaces.length - 1);
    enlaces[siguiente].focus();
    return true;
  };

  document.addEventListener("keydown", (e) => {
    if (e.key === "Escape") {
      document.querySelectorAll("details.usuario[open]").forEach((d) => { d.open = false; d.querySelector("summary").focus(); });
      return;
    }
    if (e.defaultPrevented || escribiendo(e)) return;
    if (e.key === "/") {
      const campo = document.getElementById("buscar-q");
      if (campo) { e.preventDefault(); campo.focus(); campo.select(); }
    } else if (e.key === "x") {
      document.activeElement.closest("table.navegable tr")?.querySelector("input[type=checkbox]")?.click();
    } else if (e.key === "a") {
      document.activeElement.closest("table.navegable tr")?.querySelector(".acciones a.boton")?.click();
    } else if (e.key === "m") {
      const campo = document.querySelector(".para-marcados select");
      if (campo) { e.preventDefault(); campo.focus(); } // else the letter would choose in the list
    } else if (e.key === "?") {
      const ayuda = document.getElementById("teclas");
      if (ayuda && !ayuda.open) { e.preventDefault(); ayuda.showModal(); }
    } else if (e.key === "ArrowDown" || e.key === "ArrowUp") {
      if (mover(e.key === "ArrowDown" ? 1 : -1)) e.preventDefault();
    }
  });
  document.addEventListener("click", (e) => {
    document.querySelectorAll("details.usuario[open]").forEach((d) => { if (!d.contains(e.target)) d.open = false; });
  });
})();
