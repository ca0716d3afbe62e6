/* Leaving a page with something typed asks first; sending it does not. Forms that save by themselves: saving.js. */
(function () {
  "use strict";
  var FORMS = "main form:not([data-autosave]):not([data-leave-freely]):not(.st-entrance form):not([role=search])";
  var sending = false;

  function changed(control) {
    if (control.type === "hidden" || control.type === "password" || !control.name) return false;
    if (control.matches("select")) {
      return Array.from(control.options).some(function (option) { return option.selected !== option.defaultSelected; })
        && !(control.selectedIndex === 0 && !control.querySelector("option[selected]"));
    }
    if (control.type === "checkbox" || control.type === "radio") return control.checked !== control.defaultChecked;
    return "defaultValue" in control && control.value !== control.defaultValue;
  }
  function typed(form) {
    if (form.method !== "post") return false;
    return Array.from(form.elements).some(changed) || (refused() && Array.from(form.elements).some(function (each) { return each.matches("[aria-invalid], .is-invalid"); }));
  }
  function refused() { // the server gave the page back with what was typed: it is saved nowhere
    return Boolean(document.querySelector("main [data-error-summary]"));
  }
  document.addEventListener("submit", function (event) {
    if (event.defaultPrevented) return;
    sending = true;
    setTimeout(function () { sending = false; }, 2000);
  });
  window.addEventListener("beforeunload", function (event) {
    if (!sending && Array.from(document.querySelectorAll(FORMS)).some(typed)) event.preventDefault();
  });
})();
