// The request at mesa de partes: only the fields of the chosen transport are in sight. What holds something stays.
(() => {
  "use strict";
  const DE = {
    guia_aerea: ["aereo"], nave: ["contenedor", "granel"], bl: ["contenedor", "granel"],
    contenedores: ["contenedor"], bodegas: ["granel"],
  };
  const form = document.querySelector("form[data-borrador]");
  if (!form) return;
  const mostrar = () => {
    const elegido = form.querySelector("[name=transporte]:checked")?.value;
    form.querySelectorAll("input, textarea").forEach((c) => {
      const sirve = DE[c.name.split("-").pop()];
      if (sirve) c.closest(".campo").hidden = Boolean(elegido) && !sirve.includes(elegido) && !c.value;
    });
  };
  form.addEventListener("change", mostrar);
  // A row that was just added, or a draft that was just brought back.
  form.addEventListener("click", (e) => { if (e.target.closest("[data-agregar]")) setTimeout(mostrar, 0); });
  addEventListener("load", mostrar);
})();
