"""The front door: my episodes, most acute first, with the reason, the stage and what is due."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from clinic import audit
from clinic.models import Episode, User
from clinic.permissions import requires

PAGE = 50


@login_not_required
@requires("account.own")
def front_door(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect("caseload")
    return redirect("account_login" if User.objects.exists() else "first_visit")


@requires("chart.view")
def caseload(request: HttpRequest) -> HttpResponse:
    episodes = list(Episode.objects.caseload(request.user)[: PAGE + 1])  # type: ignore[arg-type]
    audit.read(request, *{episode.patient for episode in episodes[:PAGE]})
    return render(request, "clinic/caseload.html", {"episodes": episodes[:PAGE], "more": len(episodes) > PAGE})
