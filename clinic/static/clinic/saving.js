/* Nothing typed is lost, and nobody has to wonder whether it was saved.

   <form data-autosave hx-post="..." hx-trigger="steady:save" hx-swap="none" novalidate ...> is sent shortly after
   each change, never twice at once, and again until the server has it. Its answer may change the page out of band
   (hx-swap-oob: the version mark, what this changes), never the form itself. components/saved_state.html shows where it stands.
   A button that goes on saves in the same way first, and goes only when the server has it all.
   Nothing is kept in the browser's storage: the answers belong to the patient, the computer often to nobody. */
(function () {
  "use strict";
  var TYPING = 900, RETRY = 4000; // ms
  var states = new WeakMap();

  function state(form) {
    if (!states.has(form)) {
      states.set(form, { typed: 0, sending: 0, saved: 0, busy: false, timer: null, at: null, going: null, gone: false, halted: false, failing: false, refused: 0 });
    }
    return states.get(form);
  }
  function forms() {
    return Array.from(document.querySelectorAll("form[data-autosave]"));
  }
  function unsaved(form) {
    var s = state(form);
    return s.typed > s.saved;
  }
  function badge(form) {
    return form.querySelector("[data-saved]") || (form.id && document.querySelector('[data-saved][data-for="' + form.id + '"]'));
  }
  function words(element, parts) {
    element.replaceChildren.apply(element, parts.map(function (part) {
      if (typeof part === "string") return document.createTextNode(part);
      var link = document.createElement("a");
      link.href = part.href;
      if (part.href.charAt(0) !== "#") link.target = "_blank";
      link.textContent = part.text;
      return link;
    }));
  }
  function show(form, name, parts) {
    var place = badge(form);
    if (!place) return;
    place.dataset.state = name;
    var text = place.querySelector("[data-saved-words]");
    if (text.dataset.said !== JSON.stringify(parts)) { // a live region speaks at each change: change it only when it is news
      text.dataset.said = JSON.stringify(parts);
      words(text, parts);
    }
    if (name !== "saved") place.querySelector("[data-saved-age]").textContent = "";
  }
  function notice(parts) {
    var place = document.getElementById("st-notice");
    if (!place) return;
    if (!parts) return place.replaceChildren();
    var line = document.createElement("p");
    words(line, parts);
    place.replaceChildren(line);
  }
  function later(form, wait) {
    var s = state(form);
    clearTimeout(s.timer);
    s.timer = setTimeout(function () { send(form); }, wait);
  }
  function send(form) {
    var s = state(form);
    if (s.busy || s.halted || !(unsaved(form) || s.going) || !form.isConnected) return;
    s.busy = true;
    s.sending = s.typed;
    if (!s.failing) show(form, "saving", ["Saving…"]); // a bad line is said once, not at every try
    window.htmx.trigger(form, "steady:save");
  }
  function done(form, xhr) {
    var s = state(form);
    s.busy = false;
    if (ok(xhr)) {
      s.saved = s.sending;
      s.refused = 0;
      s.failing = false;
      s.at = Date.now();
      show(form, "saved", ["Saved"]);
      if (unsaved(form)) later(form, 0);
      else if (s.going) go(form);
    } else {
      failed(form, xhr);
    }
  }
  /* The button that was pressed, now that everything is saved; unless the answers have just opened questions nobody has seen. */
  function go(form) {
    var s = state(form), pressed = s.going;
    s.going = null;
    var opened = shown(form).filter(function (name) { return pressed.shown.indexOf(name) < 0; });
    if (opened.length) {
      var frame = document.getElementById("w-" + opened[0]), first = frame && frame.querySelector("[data-question] input, [data-question] select, [data-question] textarea");
      show(form, "saved", ["Saved. One of the answers opened more questions: please look at them, then go on."]);
      s.at = null; // the sentence stays until the next save
      if (first) first.focus();
      return;
    }
    s.gone = true;
    show(form, "saving", ["Saved. Going on…"]);
    form.requestSubmit(pressed.button || undefined);
  }
  function shown(form) {
    return Array.from(form.querySelectorAll("input[name=shown]"), function (input) { return input.value; });
  }
  function stay(form) {
    state(form).going = null;
  }
  /* Where a question of the form says `selector`, a link to it. */
  function links(form, selector) {
    var parts = [];
    form.querySelectorAll(selector).forEach(function (mark) {
      var question = mark.closest("[id^='w-']").querySelector("[data-question]"), text = question.querySelector("legend, label").cloneNode(true);
      text.querySelectorAll(".st-question-number, .st-muted").forEach(function (extra) { extra.remove(); });
      parts.push(parts.length ? ", " : "", { href: "#" + question.id, text: text.textContent.trim() });
    });
    return parts;
  }
  function failed(form, xhr) {
    var s = state(form), again = s.failing;
    s.failing = true;
    if (xhr.status === 409) { // asking again would not help: a person has to look
      s.halted = true;
      s.failing = false;
      var twice = links(form, ".st-conflict");
      if (s.going && twice.length) form.querySelector(".st-conflict input[type=radio]").focus();
      stay(form);
      if (!twice.length) return show(form, "failed", ["Not saved: this was submitted meanwhile. Your typing is still here."]);
      return show(form, "failed", ["Saved, except what was answered twice; please choose: "].concat(twice));
    }
    if (xhr.status === 422) {
      s.failing = false;
      s.saved = s.sending; // everything that can be read
      if (s.going) { s.gone = true; return form.requestSubmit(s.going.button || undefined); } // the page that comes lists what needs a look
      return show(form, "failed", ["Saved, except: "].concat(links(form, ".st-problem")));
    }
    if (xhr.status === 423) { // lock.js asks for the password, then this is sent again
      stay(form);
      return show(form, "failed", ["Not saved yet: this page is locked. Once it is unlocked this is saved by itself."]);
    }
    if (expired(xhr) || xhr.status === 401) {
      loggedOut(form);
      return renew(form, RETRY);
    }
    if (xhr.status === 403) { // an old token after a log-in elsewhere, or a true refusal: a fresh token tells which
      s.refused += 1;
      if (s.refused < 3) {
        if (!again) show(form, "failed", ["Not saved – still trying."]);
        return renew(form, 0);
      }
      s.halted = true;
      stay(form);
      return show(form, "failed", ["Not saved: this was refused. Copy what you typed, then reload the page to see why."]);
    }
    show(form, "failed", s.going ? ["Not saved: no connection. Your typing is still here. Press Next again in a moment."] : ["Not saved – still trying."]);
    stay(form);
    later(form, RETRY);
  }
  function ok(xhr) {
    return xhr.status >= 200 && xhr.status < 300 && !expired(xhr);
  }
  function loggedOut(form) {
    var s = state(form), words = ["Not saved: you were logged out. ", { href: login(), text: "Log in in another tab" }];
    s.refused = 0;
    if (s.going) s.pressed = true;
    show(form, "failed", words.concat(s.pressed ? [", then press Next again."] : [", then this is saved by itself."]));
    stay(form);
  }
  function login() {
    return document.body.dataset.login || "/";
  }
  function expired(xhr) { // the redirect to the log-in page was followed for us, so it looks like success
    if (!xhr.responseURL) return false;
    return new URL(xhr.responseURL).pathname === new URL(login(), location.href).pathname;
  }
  /* After a log-in in another tab the form's token is old. Take the new one from this page, if it is the same person's. */
  function renew(form, wait) {
    setTimeout(function () {
      fetch(location.href, { credentials: "same-origin", headers: { "X-Requested-With": "saving" } }).then(function (answer) {
        if (expired({ responseURL: answer.url })) return loggedOut(form);
        return answer.ok ? answer.text() : null;
      }).then(function (html) {
        if (!html) { stay(form); return later(form, RETRY); }
        var body = new DOMParser().parseFromString(html, "text/html").body;
        if (body.dataset.user !== document.body.dataset.user) {
          state(form).halted = true;
          stay(form);
          return show(form, "failed", ["Not saved: another person is logged in here now. Copy what you typed, then reload the page."]);
        }
        adopt(body);
        later(form, 0);
      }).catch(function () { stay(form); later(form, RETRY); });
    }, wait);
  }
  function adopt(body) {
    document.body.setAttribute("hx-headers", body.getAttribute("hx-headers"));
    var fresh = JSON.parse(body.getAttribute("hx-headers"))["X-CSRFToken"];
    document.querySelectorAll("input[name=csrfmiddlewaretoken]").forEach(function (input) { input.value = fresh; });
  }

  function changed(event) {
    var form = event.target.form || (event.target.closest && event.target.closest("form"));
    if (!form || !form.matches("form[data-autosave]")) return;
    var s = state(form);
    s.typed += 1;
    s.halted = false;
    if (!s.busy && !s.failing) show(form, "unsaved", ["Not saved yet"]);
    later(form, event.type === "change" ? 150 : TYPING);
  }
  document.addEventListener("input", changed);
  document.addEventListener("change", changed);

  /* "Next", and every other button that leaves: first save, then go. A page that does not come would take the typing with it. */
  document.addEventListener("submit", function (event) {
    var form = event.target;
    if (!form.matches("form[data-autosave]") || event.defaultPrevented || !window.htmx) return;
    var s = state(form);
    clearTimeout(s.timer);
    if (s.gone) { // saved a moment ago
      s.gone = false;
      s.going = null;
      s.saved = s.typed;
      return;
    }
    event.preventDefault();
    s.going = { button: event.submitter, shown: shown(form) };
    s.pressed = false;
    s.halted = false;
    s.refused = 0;
    send(form);
  });
  window.addEventListener("beforeunload", function (event) {
    if (forms().some(unsaved)) event.preventDefault();
  });
  document.addEventListener("steady:unlocked", function () {
    forms().forEach(function (form) { later(form, 0); });
  });
  window.addEventListener("online", function () {
    forms().forEach(function (form) { later(form, 0); });
  });
  setInterval(function () {
    forms().forEach(function (form) {
      var s = state(form), place = badge(form);
      if (s.at && place && place.dataset.state === "saved") place.querySelector("[data-saved-age]").textContent = age(s.at);
    });
  }, 1000);
  function age(at) {
    var seconds = Math.max(1, Math.round((Date.now() - at) / 1000));
    return seconds < 60 ? seconds + " s ago" : Math.round(seconds / 60) + " min ago";
  }

  function autosaved(event) {
    return event.detail.elt.matches && event.detail.elt.matches("form[data-autosave]");
  }
  document.addEventListener("htmx:validation:halted", function (event) {
    if (!autosaved(event)) return;
    state(event.detail.elt).busy = false;
    show(event.detail.elt, "failed", ["Not saved yet: please look at the marked answers."]);
    stay(event.detail.elt);
  });
  /* What arrives above the hands (a safety banner) must not push the question away under them. */
  function held() {
    var here = document.activeElement && document.activeElement.closest("[data-question]");
    return here || Array.from(document.querySelectorAll("[data-question]")).find(function (each) { return each.getBoundingClientRect().bottom > 0; });
  }
  document.addEventListener("htmx:beforeSwap", function (event) {
    if (!autosaved(event)) return;
    var question = held(), s = state(event.detail.elt);
    s.held = question ? { question: question, top: question.getBoundingClientRect().top } : null;
  });
  function holdStill(form) {
    var held = state(form).held;
    state(form).held = null;
    if (held && held.question.isConnected) window.scrollBy({ top: held.question.getBoundingClientRect().top - held.top, behavior: "instant" });
  }
  document.addEventListener("htmx:beforeSwap", function (event) {
    if (expired(event.detail.xhr)) event.detail.shouldSwap = false; // never a log-in page in the middle of a chart
  });
  document.addEventListener("htmx:afterRequest", function (event) {
    var xhr = event.detail.xhr;
    if (autosaved(event)) { holdStill(event.detail.elt); return done(event.detail.elt, xhr); }
    if (ok(xhr) || xhr.status === 409 || xhr.status === 422) return notice(null);
    if (expired(xhr) || xhr.status === 401) {
      return notice(["Not saved: you are logged out. What you typed is still here. ", { href: login(), text: "Log in in a new tab" }, ", come back and try again."]);
    }
    if (xhr.status === 423) return notice(["Not saved: the page was locked. What you typed is still here; try again."]);
    if (xhr.status === 403) return notice(["Not saved: this was refused. Reload the page to see what you may do here."]);
    notice(["Not saved: the server does not answer right now. What you typed is still here; try again in a moment."]);
  });
})();
