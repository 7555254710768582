// Pages that stay true by themselves: every [data-vivo] asks for itself again every so many seconds, while somebody looks. A 304 changes nothing. A [data-actualizado] says how long ago the page's own piece knew; without this script it says at what time the page was made.
(() => {
  "use strict";
  const nacida = Date.now(), ultimas = new Map();
  let visto = nacida, falla = false, foco = null;
  const marca = document.querySelector("[data-actualizado]");
  // Nobody loses what is being read, typed or marked: an open answer, a field in hand or a marked row waits for another round.
  const enUso = (pieza) => pieza.querySelector("details[open], :is(input, select, textarea):focus, dialog[open], [type=checkbox]:checked");

  const decir = () => {
    if (!marca) return;
    const s = Math.round((Date.now() - visto) / 1000);
    const hace = s < 60 ? `${s} s` : `${Math.floor(s / 60)} min`;
    marca.textContent = falla ? `Sin conexión · datos de hace ${hace}` : `Actualizado hace ${hace}`;
    marca.classList.toggle("no-guardado", falla);
  };
  const supo = (pieza, bien) => {
    if (pieza?.id !== "vivo") return;
    falla = !bien;
    if (bien) visto = Date.now();
    decir();
  };
  const mirar = () => {
    if (document.hidden) return;
    document.querySelectorAll("[data-vivo][hx-get]").forEach((pieza) => {
      if (Date.now() - (ultimas.get(pieza.id) || nacida) < 1000 * (Number(pieza.dataset.vivo) || 30)) return;
      ultimas.set(pieza.id, Date.now());
      if (!enUso(pieza)) htmx.trigger(pieza, "refrescar");
    });
  };

  // Whose page this is: whoever signed in since, in another tab, gets his own instead.
  document.addEventListener("htmx:configRequest", (e) => {
    if (document.body.dataset.usuario) e.detail.headers["X-Usuario"] = document.body.dataset.usuario;
  });
  document.addEventListener("htmx:beforeSwap", (e) => {
    const pieza = e.detail.requestConfig?.elt;
    if (!pieza?.dataset?.vivo) return;
    const { xhr } = e.detail;
    // What led elsewhere, to the sign-in of a session that ended, is no news of the piece.
    const suya = new URL(xhr.responseURL).pathname === new URL(pieza.getAttribute("hx-get"), location.href).pathname;
    if (!suya) e.detail.shouldSwap = false;
    supo(pieza, suya && (xhr.status === 200 || xhr.status === 304));
    const activo = document.activeElement;
    if (activo?.closest("#vivo, [id^=vivo-]") && !activo.id) foco = { href: activo.getAttribute("href"), fila: Boolean(activo.closest("tbody")) };
  });
  document.addEventListener("htmx:sendError", (e) => supo(e.detail.requestConfig?.elt, false));
  // Whoever was on a link of it stays there.
  document.addEventListener("htmx:afterSettle", () => {
    const { href, fila } = foco || {};
    foco = null;
    if (href) [...document.querySelectorAll(`${fila ? "main tbody " : ""}a[href]`)].find((a) => a.getAttribute("href") === href)?.focus({ preventScroll: true });
  });
  // Whoever hears the page is told once that it changed.
  document.addEventListener("htmx:afterSwap", (e) => {
    const voz = document.getElementById("novedad"), pieza = e.detail.target;
    if (voz && pieza.dataset.vivo) voz.textContent = pieza.dataset.novedad || "";
  });

  // What is wider than the screen opens at its newest end, on the page and in each piece that comes later.
  htmx.onLoad((pieza) => pieza.querySelectorAll(".lienzo").forEach((lienzo) => { lienzo.scrollLeft = lienzo.scrollWidth; }));

  setInterval(() => { decir(); mirar(); }, 1000);
  document.addEventListener("visibilitychange", mirar);
  decir();
})();
