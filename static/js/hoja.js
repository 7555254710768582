// A worksheet by keyboard: a letter gives the value, Enter and the arrows change rows, and a row is saved when it is left.
// Without this file «Guardar» sends them all.
(() => {
  "use strict";
  const form = document.querySelector("form[data-hoja]");
  if (!form) return;
  const cuerpo = form.querySelector("tbody");
  const avance = form.querySelector("[data-avance]");
  const VALORES = { n: "negativo", p: "positivo", i: "indeterminado" };
  const valor = (fila) => fila.querySelector("select");
  const campos = (fila) => [...fila.querySelectorAll("select, input:not([type=hidden])")];
  const filas = () => [...cuerpo.rows].filter(valor);
  const lleno = (fila) => campos(fila).some((c) => c.value.trim());
  const decir = (fila, texto) => { fila.querySelector(".estado").textContent = texto; };

  const tocar = (fila) => { fila.dataset.tocada = "si"; fila.className = "sin-guardar"; decir(fila, "sin guardar"); };
  const poner = (fila, cual) => {
    const plaga = fila.querySelector("[data-buscada]");
    valor(fila).value = cual;
    if (cual === "positivo") plaga.value ||= plaga.dataset.buscada;
    else if (plaga.value === plaga.dataset.buscada) plaga.value = "";
    tocar(fila);
    form.dispatchEvent(new Event("change")); // the draft takes note
  };

  // Rows go out one request at a time; those that are left meanwhile go with the next.
  const cola = new Set();
  let enviando = false;
  const guardar = async (salientes) => {
    salientes.forEach((fila) => { cola.add(fila); decir(fila, "guardando…"); });
    if (enviando || !cola.size) return;
    enviando = true;
    const lote = [...cola];
    cola.clear();
    const datos = new FormData();
    form.querySelectorAll(":scope > input[type=hidden]").forEach((c) => datos.append(c.name, c.value));
    lote.forEach((fila) => fila.querySelectorAll("select, input").forEach((c) => datos.append(c.name, c.value)));
    try {
      const respuesta = await fetch(location.pathname, { method: "POST", body: datos, headers: { "HX-Request": "true", "HX-Current-URL": location.href } });
      const ingreso = respuesta.headers.get("HX-Redirect");
      if (ingreso) { location.href = ingreso; return; }
      if (respuesta.status !== 200 && respuesta.status !== 422) throw new Error(respuesta.status);
      cambiar(await respuesta.text(), lote);
    } catch (error) {
      lote.forEach((fila) => { fila.className = "con-error"; decir(fila, "▲ No se guardó: sin respuesta del servidor. Pulse «Guardar» para intentarlo otra vez."); });
    }
    enviando = false;
    guardar([]);
  };

  const cambiar = (html, lote) => {
    const molde = document.createElement("template");
    molde.innerHTML = `<table>${html}</table>`;
    const nuevo = molde.content.querySelector("tbody");
    const foco = document.activeElement;
    lote.forEach((fila) => {
      const suya = nuevo.querySelector(`#${fila.id}`);
      if (!suya) return;
      const columna = fila.contains(foco) ? campos(fila).indexOf(foco) : -1;
      fila.replaceWith(suya);
      if (columna >= 0) (campos(suya)[columna] || form.querySelector("[name=guardar]")).focus();
    });
    avance.textContent = `${nuevo.dataset.anotadas} · ${nuevo.querySelector(".con-error") ? "una fila no se guardó" : "guardado"} ${new Date().toLocaleTimeString("es-PE", { timeZone: "America/Lima", hour: "2-digit", minute: "2-digit", hour12: false })}`;
    form.dispatchEvent(new Event("change")); // what is saved is no longer a draft
  };

  const mover = (campo, paso) => {
    const fila = campo.closest("tr");
    const columna = campos(fila).indexOf(campo);
    const todas = filas();
    const destino = todas[todas.indexOf(fila) + paso];
    // An empty row is begun by its value; in one that has it, the same column.
    if (destino) campos(destino)[valor(destino).value ? columna : 0].focus();
    else if (paso > 0) form.querySelector("[name=guardar]").focus();
  };

  // What was found is read before the row is left, since a saved one is changed by a reversion alone.
  const lectura = (fila) => fila.querySelector("input[name$=-lectura]");
  const pideLectura = (fila) => ["positivo", "indeterminado"].includes(valor(fila).value) && !lectura(fila).value.trim();
  const PALABRA = 800; // milliseconds between the letters of a word
  let ultima = -PALABRA;

  cuerpo.addEventListener("keydown", (e) => {
    const campo = e.target;
    const fila = campo.closest("tr");
    if (e.ctrlKey || e.metaKey || e.altKey || !fila || !campos(fila).includes(campo)) return;
    const enValor = campo.tagName === "SELECT";
    const vecino = (paso) => campos(fila)[campos(fila).indexOf(campo) + paso]?.focus();
    const letra = e.key.length === 1;
    const seguida = letra && e.timeStamp - ultima < PALABRA;
    ultima = letra ? e.timeStamp : -PALABRA;
    if (e.key === "Enter" && enValor && !e.shiftKey && pideLectura(fila)) lectura(fila).focus();
    else if (e.key === "Enter") mover(campo, e.shiftKey ? -1 : 1);
    else if (e.key === "ArrowDown" && !campo.list) mover(campo, 1);
    else if (e.key === "ArrowUp" && !campo.list) mover(campo, -1);
    else if (enValor && e.key === "ArrowRight") vecino(1);
    else if (enValor && ["Delete", "Backspace"].includes(e.key)) poner(fila, "");
    else if (enValor && !seguida && VALORES[e.key.toLowerCase()]) poner(fila, VALORES[e.key.toLowerCase()]);
    else if (enValor && letra) ; // a word typed in the wrong place is no result, nor the browser's guess of one
    else return;
    e.preventDefault();
  });
  cuerpo.addEventListener("change", (e) => { if (e.target.tagName === "SELECT") poner(e.target.closest("tr"), e.target.value); });
  cuerpo.addEventListener("input", (e) => tocar(e.target.closest("tr")));
  cuerpo.addEventListener("focusout", (e) => {
    const fila = e.target.closest("tr");
    if (fila.contains(e.relatedTarget) || !fila.dataset.tocada || !valor(fila)?.value) return;
    delete fila.dataset.tocada;
    guardar([fila]);
  });

  form.addEventListener("submit", (e) => {
    e.preventDefault();
    if (e.submitter?.name === "llenar") {
      const vacias = filas().filter((fila) => !valor(fila).value);
      vacias.forEach((fila) => { poner(fila, "negativo"); delete fila.dataset.tocada; decir(fila, "negativa, sin guardar"); });
      avance.textContent = `${vacias.length} puestas en negativo, sin guardar: marque las excepciones y guarde.`;
      filas()[0] && valor(filas()[0]).focus();
    } else {
      guardar(filas().filter(lleno));
    }
  });
  filas().find((fila) => !valor(fila).value)?.querySelector("select").focus();
  filas().forEach((fila) => { if (lleno(fila) && !fila.classList.contains("con-error")) decir(fila, "sin guardar"); });
})();
