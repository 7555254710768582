// The board keeps itself up to date: every twenty seconds it asks whether something changed, mostly a 304, and says how long ago it knew. Without it the page is as it was when opened, and says at what time.
(() => {
  "use strict";
  const marca = document.querySelector("[data-actualizado]");
  if (!marca) return;
  const CADA = 20000;
  let sello = "", visto = Date.now(), pidiendo = false, falla = false;

  const decir = () => {
    const s = Math.round((Date.now() - visto) / 1000);
    const hace = s < 60 ? `${s} s` : `${Math.floor(s / 60)} min`;
    marca.textContent = falla ? `Sin conexión · datos de hace ${hace}` : `Actualizado hace ${hace}`;
    marca.classList.toggle("no-guardado", falla);
  };

  const poner = (html) => {
    const nueva = new DOMParser().parseFromString(html, "text/html");
    const foco = document.activeElement?.closest?.("[data-vivo]") && document.activeElement.getAttribute("href");
    const fila = foco && document.activeElement.closest("tbody") !== null;
    for (const parte of nueva.querySelectorAll("[data-vivo]")) {
      document.querySelector(`main [data-vivo="${parte.dataset.vivo}"]`)?.replaceChildren(...parte.childNodes);
    }
    if (foco) [...document.querySelectorAll(`main [data-vivo] ${fila ? "tbody " : ""}a[href]`)].find((a) => a.getAttribute("href") === foco)?.focus({ preventScroll: true });
  };

  const mirar = async () => {
    if (pidiendo || document.hidden || Date.now() - visto < CADA) return;
    pidiendo = true;
    try {
      const r = await fetch(marca.dataset.actualizado + location.search, { headers: sello ? { "If-None-Match": sello } : {}, cache: "no-store", redirect: "error" });
      if (r.status === 200) { poner(await r.text()); sello = r.headers.get("ETag") || ""; }
      falla = r.status !== 200 && r.status !== 304;
      if (!falla) visto = Date.now();
    } catch { falla = true; }
    pidiendo = false;
    decir();
  };

  setInterval(decir, 1000);
  setInterval(mirar, 2000);
  document.addEventListener("visibilitychange", mirar);
  decir();
})();
