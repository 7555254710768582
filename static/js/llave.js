// Security keys: say in words when the browser could not read one (allauth itself only writes to the console).
document.addEventListener("allauth.error", (e) => {
  e.preventDefault();
  document.getElementById("llave-no").hidden = false;
});
