"""The first visit of a new clinic: make the first administrator and program, then log in."""

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from clinic import actions
from clinic.forms import FirstVisitForm
from clinic.models import User


@login_not_required
def first_visit(request: HttpRequest) -> HttpResponse:
    if User.objects.exists():
        return redirect("caseload")
    form = FirstVisitForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            actions.first_visit(**form.values())
        except ValueError as done_already:
            messages.warning(request, str(done_already))
            return redirect("account_login")
        messages.success(request, "Your program is ready. Log in, then add your colleagues in the administration.")
        return redirect("account_login")
    return render(request, "clinic/first_visit.html", {"form": form}, status=422 if form.errors else 200)
