// Boxes at the door. In form[data-escaneo] the page stays: each code is sent by itself, in order, while the field is
// ready for the next one. In form[data-marcar] a code marks its row. Without this file each code is a page of its own.
(() => {
  "use strict";

  const form = document.querySelector("form[data-escaneo]");
  if (form) {
    const campo = form.elements.codigo;
    const cola = [];
    let trabajando = false;
    const parte = (nombre) => document.querySelector(`[data-${nombre}]`);

    const fila = (html) => {
      parte("recibidas").insertAdjacentHTML("afterbegin", html);
      parte("recibidas").closest(".tabla-caja").hidden = false;
      parte("vacio")?.remove();
      const cuenta = parte("cuenta");
      cuenta.textContent = Number(cuenta.textContent) + 1;
      parte("dicho").textContent = `${parte("recibidas").querySelector(".numero").textContent} recibida`;
    };
    const falla = (html) => {
      parte("fallas").insertAdjacentHTML("afterbegin", html);
      parte("dicho").textContent = "";
    };
    const sinRed = (codigo) => {
      const aviso = document.createElement("li");
      aviso.className = "aviso error";
      aviso.textContent = `${codigo}: sin respuesta del servidor. Léalo otra vez.`;
      parte("fallas").prepend(aviso);
    };

    const trabajar = async () => {
      if (trabajando) return;
      trabajando = true;
      while (cola.length) {
        const datos = cola.shift();
        try {
          const respuesta = await fetch(location.href, { method: "POST", body: datos, headers: { "X-Fila": "1" } });
          if (respuesta.redirected) { location.reload(); return; } // the shift ended: sign in again
          const html = await respuesta.text();
          if (respuesta.ok) fila(html);
          else if (respuesta.status === 422) falla(html);
          else sinRed(datos.get("codigo"));
        } catch {
          sinRed(datos.get("codigo"));
        }
      }
      trabajando = false;
    };

    form.addEventListener("submit", (e) => {
      e.preventDefault();
      if (campo.value.trim()) {
        cola.push(new FormData(form));
        trabajar();
      }
      form.reset(); // what was said of one box is not said of the next
      campo.focus();
    });
  }

  const marcas = document.querySelector("form[data-marcar]");
  if (marcas) {
    const campo = document.getElementById("leer");
    const dicho = document.querySelector("[data-dicho]");
    const limpio = (texto) => texto.toUpperCase().replace(/[^A-Z0-9]/g, "");
    campo.closest("[hidden]").hidden = false;
    campo.addEventListener("keydown", (e) => {
      if (e.key !== "Enter") return;
      e.preventDefault();
      const leido = limpio(campo.value);
      const casilla = leido && [...marcas.querySelectorAll("[data-codigos]")].find((c) =>
        c.dataset.codigos.split(" ").map(limpio).some((codigo) => leido === codigo || (codigo.length >= 8 && leido.endsWith(codigo))));
      if (casilla) {
        casilla.checked = true;
        casilla.dispatchEvent(new Event("change", { bubbles: true }));
        const faltan = marcas.querySelectorAll("[data-codigos]:not(:checked)").length;
        dicho.textContent = `${casilla.dataset.codigos.split(" ")[0]} llegó. Faltan ${faltan}.`;
        campo.value = "";
      } else {
        dicho.textContent = `«${campo.value}» no está en este manifiesto.`;
        campo.select();
      }
    });
  }
})();
