// Pages that stay true by themselves: every [data-vivo] asks for itself again every so many seconds, while somebody looks. A 304 changes nothing.
(() => {
  "use strict";
  let ultima = Date.now();
  const piezas = () => document.querySelectorAll("[data-vivo][hx-get]");
  const pedir = () => {
    ultima = Date.now();
    piezas().forEach((pieza) => {
      // Nobody loses what is being read or typed: an open answer or a field in hand waits for the next round.
      if (!pieza.querySelector("details[open], :is(input, select, textarea):focus, dialog[open]")) htmx.trigger(pieza, "refrescar");
    });
  };
  const cada = () => Math.min(...[...piezas()].map((pieza) => 1000 * Number(pieza.dataset.vivo) || 30000));
  setInterval(() => { if (piezas().length && !document.hidden && Date.now() - ultima >= cada()) pedir(); }, 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden && piezas().length && Date.now() - ultima >= cada()) pedir(); });
  // Whoever hears the page is told once that it changed.
  document.addEventListener("htmx:afterSwap", (e) => {
    const voz = document.getElementById("novedad");
    if (voz && e.detail.target.dataset.vivo) voz.textContent = e.detail.target.dataset.novedad || "";
  });
  // What led elsewhere, to the sign-in of a session that ended, is no news of the piece.
  document.addEventListener("htmx:beforeSwap", (e) => {
    const de = e.detail.target.dataset.vivo && e.detail.target.getAttribute("hx-get");
    if (de && new URL(e.detail.xhr.responseURL).pathname !== de) e.detail.shouldSwap = false;
  });
})();
