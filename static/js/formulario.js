// Forms: one submit, focus on the error summary, rows of formsets, and typed text that survives an expired session.
// Everything works without this file; it only saves people from losing work.
(() => {
  "use strict";

  // One submit. The button keeps its name=value: it is only disabled once the request has been built.
  document.addEventListener("submit", (e) => {
    const form = e.target;
    if (e.defaultPrevented || form.method !== "post") return;
    if (form.dataset.enviado) { e.preventDefault(); return; }
    form.dataset.enviado = "1";
    setTimeout(() => form.querySelectorAll("button").forEach((b) => b.setAttribute("aria-disabled", "true")), 0);
    setTimeout(() => soltar(form), 20000); // a download, or a network that gave up
  });
  const soltar = (form) => {
    delete form.dataset.enviado;
    form.querySelectorAll("button[aria-disabled]").forEach((b) => b.removeAttribute("aria-disabled"));
  };
  addEventListener("pageshow", () => document.querySelectorAll("form[data-enviado]").forEach(soltar));

  const resumen = document.querySelector(".resumen-errores");
  if (resumen) resumen.focus();

  // Rows.
  const agregar = (caja) => {
    const total = caja.querySelector(`[name="${caja.dataset.formset}-TOTAL_FORMS"]`);
    const n = Number(total.value);
    const html = caja.querySelector("template").innerHTML.replaceAll("__prefix__", n).replaceAll("__num__", n + 1);
    caja.querySelector("[data-filas]").insertAdjacentHTML("beforeend", html);
    total.value = n + 1;
    caja.querySelector("[data-agregar]").hidden = n + 1 >= Number(caja.dataset.max);
    return caja.querySelector("[data-filas]").lastElementChild;
  };
  const formsets = document.querySelectorAll("[data-formset]");
  formsets.forEach((caja) => {
    const boton = caja.querySelector("[data-agregar]");
    const total = caja.querySelector(`[name="${caja.dataset.formset}-TOTAL_FORMS"]`);
    if (!boton || !total) return;
    boton.hidden = Number(total.value) >= Number(caja.dataset.max);
    boton.addEventListener("click", () => agregar(caja).querySelector("input:not([type=hidden]), select, textarea")?.focus());
  });

  // Drafts: per person, per page, in this tab only. A sign-out forgets them; so does the page that says the act was done.
  const CLAVE = "borrador:";
  const usuario = document.body.dataset.usuario;
  const claves = () => Object.keys(sessionStorage).filter((k) => k.startsWith(CLAVE));
  document.querySelectorAll("form[data-salir]").forEach((f) => f.addEventListener("submit", () => claves().forEach((k) => sessionStorage.removeItem(k))));

  const hecho = document.querySelector(".mensajes .success") !== null;
  const aparte = document.body.dataset.aparte !== undefined; // sign-in and error pages: the act is still to be done
  const form = document.querySelector("form[data-borrador]");
  const mia = `${CLAVE}${usuario}:${location.pathname}`;
  if (usuario && !aparte) {
    claves().forEach((k) => {
      const enviado = JSON.parse(sessionStorage.getItem(k)).enviado;
      if (enviado && (hecho || k !== mia)) sessionStorage.removeItem(k);
    });
  }
  if (!usuario || !form) return;

  const campos = () => [...form.elements].filter((c) => c.name && !["hidden", "password", "file", "submit", "button"].includes(c.type));
  const marcable = (c) => c.type === "checkbox" || c.type === "radio";
  const id = (c) => (marcable(c) ? `${c.name}=${c.value}` : c.name);
  const valor = (c) => (marcable(c) ? c.checked : c.multiple ? [...c.selectedOptions].map((o) => o.value) : c.value);
  const leer = () => Object.fromEntries(campos().map((c) => [id(c), valor(c)]));
  const totales = () => Object.fromEntries([...formsets].map((c) => [c.dataset.formset, Number(form.elements[`${c.dataset.formset}-TOTAL_FORMS`]?.value)]));
  const guardar = (enviado) => sessionStorage.setItem(mia, JSON.stringify({ enviado, datos: leer(), totales: totales() }));

  const inicial = JSON.stringify(leer());
  const guardado = sessionStorage.getItem(mia);
  if (guardado && form.dataset.enlazado === undefined) {
    const { datos, totales: filas } = JSON.parse(guardado);
    formsets.forEach((caja) => {
      const campo = form.elements[`${caja.dataset.formset}-TOTAL_FORMS`];
      while (campo && Number(campo.value) < (filas[caja.dataset.formset] || 0)) agregar(caja);
    });
    campos().forEach((c) => {
      const v = datos[id(c)];
      if (v === undefined) return;
      if (marcable(c)) c.checked = v;
      else if (c.multiple) [...c.options].forEach((o) => { o.selected = v.includes(o.value); });
      else if (c.tagName !== "SELECT" || [...c.options].some((o) => o.value === v)) c.value = v;
    });
    if (JSON.stringify(leer()) !== inicial) {
      const nota = document.createElement("div");
      nota.className = "aviso recuperado";
      nota.setAttribute("role", "status");
      nota.textContent = "Se recuperó lo que había escrito en esta página. Los archivos debe elegirlos otra vez. ";
      const boton = document.createElement("button");
      boton.type = "button";
      boton.className = "boton";
      boton.textContent = "Descartar y empezar de nuevo";
      boton.addEventListener("click", () => { sessionStorage.removeItem(mia); location.reload(); });
      nota.append(boton);
      form.prepend(nota);
    }
  }
  let espera;
  const apuntar = () => { clearTimeout(espera); espera = setTimeout(() => guardar(false), 300); };
  form.addEventListener("input", apuntar);
  form.addEventListener("change", apuntar);
  form.addEventListener("submit", () => { clearTimeout(espera); guardar(true); });
})();
