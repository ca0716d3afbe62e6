"""The lock of a session: the page and the word that open it again, the button that closes it, and the word that hands are on a page."""

from typing import Any
from urllib.parse import urlencode, urlsplit

from allauth.account.forms import ReauthenticateForm
from allauth.account.internal.flows.reauthentication import reauthenticate_by_password
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.shortcuts import redirect, render
from django.urls import resolve, reverse
from django.utils.http import url_has_allowed_host_and_scheme

from clinic import audit, held, lock
from clinic.access_table import OWN_ACCOUNT
from clinic.cleaning import entry
from clinic.door import came_from
from clinic.permissions import requires
from clinic.views.confirm import STEPS

TRY_AGAIN = "Not unlocked. Somebody else has logged in here meanwhile; reload the page to go on as them."


def unlock_address(following: str) -> str:
    return f"{reverse('unlock')}?{urlencode({'next': following})}"


def ask(request: HttpRequest) -> HttpResponse:
    """Instead of a view: the form that was sent is not looked at yet, and is kept until the password is right."""
    kept = {"held": held.hold(request), "next": came_from(request), "what": _step(request, request.path)}
    return render(request, "clinic/unlock.html", kept | {"form": ReauthenticateForm(user=request.user)}, status=403)


def _step(request: HttpRequest, path: str) -> str:
    """What the password is for, in words; nothing when it opens a lock."""
    if lock.is_locked(request.session):
        return ""
    return STEPS.get(resolve(urlsplit(path).path).view_name, ("go on", ""))[0]


@requires(OWN_ACCOUNT)
def unlock(request: HttpRequest) -> HttpResponse:
    """The password again, by this person: on a page of its own, or sent by the overlay of a page (lock.js)."""
    if request.method != "POST":
        return _page(request, ReauthenticateForm(user=request.user))
    if "user" in request.POST and entry(request.POST, "user") != str(request.user.public_id):  # type: ignore[union-attr]
        return HttpResponse(TRY_AGAIN, status=409, content_type="text/plain")
    form = ReauthenticateForm(request.POST, user=request.user)
    if form.is_valid():
        return _open(request)
    if lock.by_script(request):
        return HttpResponse(" ".join(form.errors["password"]), status=403, content_type="text/plain")
    return _page(request, form, status=403)


def _page(request: HttpRequest, form: Any, status: int = 200) -> HttpResponse:
    kept = held.release(request)
    following = entry(request.POST, "next") or entry(request.GET, "next")
    context = {"form": form, "next": following, "held": held.sent_back(request) if kept else ""}
    return render(request, "clinic/unlock.html", context | {"what": _step(request, kept.path) if kept else ""}, status=status)


def _open(request: HttpRequest) -> HttpResponse:
    idle = int(lock.idle(request.session) // 60)
    was = f"after {idle} idle minutes" if idle < lock.settings.SESSION_HOURS * 60 else "by hand"
    if lock.is_locked(request.session):
        audit.record(request.user, action=OWN_ACCOUNT, view="unlock", reason=f"unlocked; locked {was}")  # type: ignore[arg-type]
    reauthenticate_by_password(request)
    request.session[lock.TOUCHED] = lock.now()
    if lock.by_script(request):
        return HttpResponse(status=204)
    following = entry(request.POST, "next")
    back = following if url_has_allowed_host_and_scheme(following, None) else reverse("front_door")
    if kept := held.release(request):
        return render(request, "clinic/send_again.html", {"kept": kept, "back": back})
    return redirect(back)


@requires(OWN_ACCOUNT)
def lock_now(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    lock.lock(request.session)
    return HttpResponse(status=204) if lock.by_script(request) else redirect(unlock_address(came_from(request)))


@requires(OWN_ACCOUNT)
def touched(request: HttpRequest) -> HttpResponse:
    """POST: a person has touched a page that was open. GET: how long nobody has, and whose session it is; asking touches nothing."""
    if request.method == "POST":
        lock.touch(request.session)
        return HttpResponse(status=204)
    return JsonResponse({"idle": lock.idle(request.session), "user": str(request.user.public_id)})  # type: ignore[union-attr]
