/* Runs before the first paint: the theme somebody chose on this device, or else the system's. */
(function () {
  "use strict";
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  function chosen() {
    try {
      return localStorage.getItem("steady-theme");
    } catch (error) {
      return null; // storage may be switched off; the system's theme is good enough
    }
  }
  function apply() {
    var theme = chosen() || (dark.matches ? "dark" : "light");
    document.documentElement.setAttribute("data-bs-theme", theme);
  }
  dark.addEventListener("change", apply);
  apply();
})();
