/* Small help for hands and eyes. Every page works without it, only slower. */
(function () {
  "use strict";

  /* Theme: the button is there only when it can work. */
  function themeButtons() {
    document.querySelectorAll("[data-theme-toggle]").forEach(function (button) {
      button.hidden = false;
      button.addEventListener("click", function () {
        var root = document.documentElement;
        var next = root.getAttribute("data-bs-theme") === "dark" ? "light" : "dark";
        root.setAttribute("data-bs-theme", next);
        try { localStorage.setItem("steady-theme", next); } catch (error) { /* stays for this page */ }
      });
    });
  }

  /* Menus close when somebody is done with them. */
  document.addEventListener("click", function (event) {
    document.querySelectorAll("details.st-menu[open]").forEach(function (menu) {
      if (!menu.contains(event.target)) menu.open = false;
    });
    if (event.target.closest("[data-print]")) window.print();
  });
  document.addEventListener("keydown", function (event) {
    if (event.key !== "Escape") return;
    document.querySelectorAll("details.st-menu[open]").forEach(function (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    });
  });

  /* Questions: number keys choose, Enter goes on. Only in the question that has the focus: a key never answers unseen. */
  var TYPING = "textarea, select, input:not([type=radio]):not([type=checkbox]):not([type=button]):not([type=submit])";
  function controls(question) {
    return Array.from(question.querySelectorAll("input:not([type=hidden]), select, textarea")).filter(function (control) {
      return !control.disabled && !control.hasAttribute("data-decline") && control.getClientRects().length;
    });
  }
  function questions(form) {
    return Array.from(form.querySelectorAll("[data-question]")).filter(function (question) { return controls(question).length; });
  }
  function focusOn(question) {
    var all = controls(question);
    var target = all.find(function (control) { return control.checked; }) || all[0];
    target.focus();
    if (target.matches("input") && target.matches(TYPING)) target.select(); // as the Tab key does
    question.scrollIntoView({ block: "nearest" });
  }
  function changed(control) {
    control.dispatchEvent(new Event("input", { bubbles: true }));
    control.dispatchEvent(new Event("change", { bubbles: true }));
  }
  function choose(question, key) {
    var control = question.querySelector('input[data-key="' + CSS.escape(key) + '"]:not(:disabled)');
    if (!control) return false;
    if (control.type === "radio" && control.checked) return control.focus(), true;
    control.checked = control.type === "radio" ? true : !control.checked;
    control.focus();
    changed(control);
    return true;
  }
  function goOn(question) {
    var form = question.closest("form");
    var all = questions(form), next = all[all.indexOf(question) + 1];
    if (next) return focusOn(next);
    var button = form.querySelector("[data-next]") || form.querySelector("button[type=submit], button:not([type])");
    if (button) button.focus();
  }
  document.addEventListener("keydown", function (event) {
    var question = event.target.closest && event.target.closest("[data-question]");
    if (!question || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Enter" && !event.target.matches("textarea, button, a, summary, select")) {
      event.preventDefault();
      return goOn(question);
    }
    if (/^[0-9]$/.test(event.key) && !event.target.matches(TYPING) && choose(question, event.key)) event.preventDefault();
  });

  /* "Prefer not to answer", "none of these" and an answer exclude each other; the server decides again. */
  function untick(inputs) {
    inputs.forEach(function (input) { input.checked = false; });
  }
  document.addEventListener("change", function (event) {
    var input = event.target, question = input.closest("[data-question]");
    if (!question) return;
    var answers = controls(question), decline = question.querySelector("[data-decline]");
    if (input === decline) {
      if (!input.checked) return;
      untick(answers.filter(function (each) { return each.type === "radio" || each.type === "checkbox"; }));
      answers.filter(function (each) { return each.matches(TYPING); }).forEach(function (each) { each.value = ""; });
      question.removeAttribute("data-answered");
      return;
    }
    if (decline) decline.checked = false;
    if (input.matches(TYPING)) question.toggleAttribute("data-answered", input.value !== "");
    if (input.type !== "checkbox" || !input.checked) return;
    var alone = input.hasAttribute("data-exclusive");
    untick(answers.filter(function (each) { return each !== input && (alone || each.hasAttribute("data-exclusive")); }));
  });
  document.addEventListener("click", function (event) {
    var clear = event.target.closest("[data-clear]");
    if (!clear) return;
    var question = clear.closest("[data-question]"), answers = controls(question);
    untick(answers);
    changed(answers[0]);
    answers[0].focus();
  });

  /* What arrives: clear buttons get visible, the summary of what needs a look gets the focus. */
  function arrived(root) {
    root.querySelectorAll("[data-clear]").forEach(function (button) { button.hidden = false; });
    var summary = root.matches && root.matches("[data-error-summary]") ? root : root.querySelector("[data-error-summary]");
    if (summary) return summary.focus();
    return null;
  }
  function openAt(row) { // a row that was just added: its first question
    if (!row || !row.matches(".st-row") || row.querySelector("[data-confirm]")) return;
    var first = row.querySelector("[data-question]");
    if (first && controls(first).length) focusOn(first);
  }
  function start() {
    themeButtons();
    arrived(document);
    // What was just done is said once: the address that says it is not kept for the next load.
    if (document.querySelector("[data-once]")) history.replaceState(history.state, "", location.pathname);
    var form = document.querySelector("form[data-start]");
    if (!form || document.querySelector("[data-error-summary]")) return;
    if (location.hash) { // the browser takes the focus away when it scrolls to the place, so after that
      return window.addEventListener("load", function () { setTimeout(openAt, 50, document.getElementById(location.hash.slice(1))); });
    }
    if (document.querySelector("[data-critical]")) return; // nobody is led past it
    var open = questions(form).find(function (question) {
      return !controls(question).some(function (each) { return each.type === "radio" || each.type === "checkbox" ? each.checked : each.value; });
    });
    if (open) focusOn(open);
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
  document.addEventListener("htmx:load", function (event) { arrived(event.detail.elt); });
})();
