/* A page nobody touches is laid under a lock, and opened again in place: nothing typed is lost. The server decides (clinic/lock.py);
   this says to it that hands are on the page, hides what stands there in time, and asks for the password.
   The tabs of one browser are one session: they tell each other. */
(function () {
  "use strict";
  var dialog = document.getElementById("st-lock");
  if (!dialog || !dialog.showModal) return;
  var form = dialog.querySelector("form"), password = form.elements.password, problem = document.getElementById("st-lock-problem");
  var loginLink = dialog.querySelector("[data-lock-login]");
  var LIMIT = Number(dialog.dataset.seconds) * 1000, SAY = 30000, LOOK = 1000, WAIT = 5000; // ms
  var channel = window.BroadcastChannel ? new BroadcastChannel("steady-session") : null;
  var root = document.documentElement, last = Date.now(), said = Date.now(), locked = false, asking = false, title = "", focused = null;

  function tell(kind) {
    if (channel) channel.postMessage({ kind: kind, at: last, user: dialog.dataset.user });
  }
  function request(address, options) {
    var stop = new AbortController(), timer = setTimeout(function () { stop.abort(); }, WAIT);
    var all = Object.assign({ credentials: "same-origin", redirect: "manual", signal: stop.signal }, options);
    all.headers = { "X-Requested-With": "lock" };
    return fetch(address, all).finally(function () { clearTimeout(timer); });
  }
  function token() {
    return form.elements.csrfmiddlewaretoken.value;
  }
  function sent(fields) {
    var body = new FormData();
    body.append("csrfmiddlewaretoken", token());
    Object.keys(fields || {}).forEach(function (name) { body.append(name, fields[name]); });
    return { method: "POST", body: body };
  }

  /* Hands on the page. A mouse that only trembles is no hand. */
  function touched(event) {
    if (!event.isTrusted || locked) return;
    if (Date.now() - last >= LIMIT) return look(); // the first touch after a long sleep opens nothing
    last = Date.now();
    if (last - said < SAY) return;
    said = last;
    tell("touched");
    request(dialog.dataset.touched, sent()).then(refused, function () { /* no line: the server locks early, never late */ });
  }
  ["keydown", "pointerdown", "wheel", "touchmove"].forEach(function (name) {
    document.addEventListener(name, touched, { capture: true, passive: true });
  });
  function refused(answer) {
    if (answer.status === 423) lock();
  }

  /* Time is up, as far as this tab knows: another one may know better, so the server is asked. */
  function look() {
    if (locked || asking || Date.now() - last < LIMIT) return;
    ask(function (state) {
      if (!state || state.idle * 1000 >= LIMIT) return lock();
      last = Date.now() - state.idle * 1000;
    });
  }
  function ask(then) {
    asking = true;
    request(dialog.dataset.touched).then(function (answer) {
      if (answer.type === "opaqueredirect") loggedOff();
      return answer.status === 200 ? answer.json() : null;
    }).catch(function () { return null; }).then(function (state) {
      asking = false;
      if (state && state.user !== dialog.dataset.user) {
        lock();
        return say("Somebody else is logged in here now. Reload the page to go on as them.");
      }
      then(state);
    });
  }
  setInterval(look, LOOK);
  document.addEventListener("visibilitychange", look);
  window.addEventListener("pageshow", look);

  function lock() {
    if (locked) return;
    locked = true;
    title = document.title;
    focused = document.activeElement;
    document.title = "Locked – Steady";
    root.setAttribute("data-locked", "");
    password.value = "";
    say("");
    dialog.showModal();
    password.focus({ preventScroll: true });
    tell("locked");
    document.dispatchEvent(new CustomEvent("steady:locked"));
  }
  function open() {
    if (!locked) return;
    locked = false;
    last = said = Date.now();
    root.removeAttribute("data-locked");
    loginLink.hidden = true;
    password.value = "";
    document.title = title;
    dialog.close();
    if (focused && focused.isConnected) focused.focus({ preventScroll: true });
    document.dispatchEvent(new CustomEvent("steady:unlocked"));
  }
  function say(words) {
    problem.textContent = words;
    password.toggleAttribute("aria-invalid", Boolean(words));
  }
  function loggedOff() {
    lock();
    loginLink.hidden = false;
    say("You have been logged off meanwhile. Log in in another tab, then come back here: what was typed is still here.");
  }
  dialog.addEventListener("cancel", function (event) { event.preventDefault(); });
  dialog.addEventListener("close", function () { if (locked) dialog.showModal(); }); // a browser closes at the second Escape all the same

  form.addEventListener("submit", function (event) {
    event.preventDefault();
    event.stopPropagation();
    say("");
    request(form.action, sent({ password: password.value, user: dialog.dataset.user })).then(function (answer) {
      if (answer.status === 204) {
        open();
        return tell("unlocked");
      }
      if (answer.type === "opaqueredirect") return loggedOff();
      password.select();
      if (/^text\/plain/.test(answer.headers.get("Content-Type") || "")) return answer.text().then(say);
      return renew("Not unlocked yet. Please press Unlock again.");
    }).catch(function () {
      say("The server does not answer right now. Try again in a moment.");
    });
  });
  /* After a log-in in another tab the token of this page is old. */
  function renew(words) {
    return request(form.action).then(function (answer) { return answer.text(); }).then(function (html) {
      var body = new DOMParser().parseFromString(html, "text/html").body;
      if (body.dataset.user !== dialog.dataset.user) return say("Not unlocked. Reload the page to go on.");
      var fresh = body.querySelector("input[name=csrfmiddlewaretoken]").value;
      document.querySelectorAll("input[name=csrfmiddlewaretoken]").forEach(function (input) { input.value = fresh; });
      if (document.body.hasAttribute("hx-headers")) document.body.setAttribute("hx-headers", body.getAttribute("hx-headers"));
      say(words);
    });
  }

  /* The button in the menu: the same lock, at once. */
  document.addEventListener("submit", function (event) {
    if (/\/logout\/$/.test(event.target.action)) tell("left");
    if (!event.target.matches("[data-lock-now]")) return;
    event.preventDefault();
    lock();
    request(dialog.dataset.lock, Object.assign(sent(), { keepalive: true })).catch(function () { /* locked here in any case */ });
  });
  document.addEventListener("htmx:afterRequest", function (event) {
    if (event.detail.xhr.status === 423) lock();
  });
  if (channel) {
    channel.addEventListener("message", function (event) {
      var kind = event.data.kind;
      if (kind === "left") return loggedOff();
      if (event.data.user !== dialog.dataset.user) return;
      if (!locked && kind === "locked") return lock();
      if (!locked) last = Math.max(last, event.data.at);
      else if (kind !== "locked") ask(function (state) { if (state) renew("").then(open, open); });
    });
    tell("touched"); // a page was opened
    window.addEventListener("pagehide", function () { channel.close(); });
  }
})();
