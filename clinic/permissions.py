"""Who may do what, decided in one place: roles, actions, scopes, default deny.

A view declares its action with `@requires("plan.view")`; the middleware refuses a view that declares none, and so does
`manage.py check`. Rows come only through `Model.objects.visible_to(user, action)`, which is `scope(user, action)`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from clinic import door, lock
from clinic.access_table import CLINICIANS, EMERGENCY, OWN_ACCOUNT, ROLES, STEP_UP, TABLE

if TYPE_CHECKING:
    from clinic.models import User

# Reached before log-in. Eight at most: a test counts them.
PUBLIC_VIEWS = frozenset(
    {
        "healthz",
        "readyz",
        "account_login",
        "mfa_authenticate",
        "account_reset_password",
        "account_reset_password_done",
        "account_reset_password_from_key",
        "first_visit",
    }
)


@dataclass(frozen=True)
class Cell:
    """One cell of the access table: `scope` is T, P, O, A, y or - ; `fields` is full, m or supervised."""

    scope: str
    fields: str = "full"

    @property
    def allows(self) -> bool:
        return self.scope != "-"


@cache
def cell(action: str, role: str) -> Cell:
    """The cell of one action and role. Raises KeyError, naming the action, for an action that is not in the table."""
    texts = TABLE[action].split()
    scope, _, fields = texts[list(ROLES).index(role)].partition(":")
    return Cell(scope, fields or "full")


class Refused(PermissionDenied):
    """A refusal that says why, in a sentence the person reads."""


@dataclass(frozen=True)
class Grant:
    """What one user holds for one action: the programs in which each scope applies.

    `emergency_programs`: where a chart they opened in an emergency is in reach as if they were on its care team.
    """

    everywhere: bool
    programs: frozenset[int]
    team_programs: frozenset[int]
    own_programs: frozenset[int]
    emergency_programs: frozenset[int]

    @property
    def any(self) -> bool:
        return self.everywhere or bool(self.programs or self.team_programs or self.own_programs)


def grant(user: "User", action: str, *, full: bool = False) -> Grant:
    """The widest reach this user's roles give for the action, read from the roles of this request.

    `full`: only the roles that show every field of the action, not the minimum.
    """
    reach: dict[str, set[int]] = {scope: set() for scope in "APyTO-"}
    emergency: set[int] = set()
    for program_id, role in user.program_roles():
        held = cell(action, role)
        if held.fields == "full" or not full:
            reach[held.scope].add(program_id)
            if held.scope == "T" and role in CLINICIANS and action in EMERGENCY:
                emergency.add(program_id)
    programs = reach["P"] | reach["y"]
    return Grant(
        everywhere=bool(reach["A"]),
        programs=frozenset(programs),
        team_programs=frozenset(reach["T"] - programs),
        own_programs=frozenset(reach["O"]),
        emergency_programs=frozenset(emergency - programs),
    )


def may(user: "User", action: str) -> bool:
    """True when some role of this user allows the action for some row; rows are then narrowed by `scope`."""
    if not user.is_authenticated or not user.is_active:
        return False
    return action == OWN_ACCOUNT or grant(user, action).any


def reaches(
    user: "User", action: str, program_id: int, *, on_team: bool, in_emergency: bool = False, full: bool = False
) -> bool:
    """`scope` for one row that was read already, so that nothing denies it, and of which it is known how the user came to it.

    `on_team` its care team now, `in_emergency` they opened it in one. Own rows do not count.
    """
    held = grant(user, action, full=full)
    return (
        held.everywhere
        or program_id in held.programs
        or (on_team and program_id in held.team_programs)
        or (in_emergency and program_id in held.emergency_programs)
    )


def scope(
    user: "User", action: str, *, full: bool = False, patient: str = "patient_id", program: str = "program_id", author: str = ""
) -> Q:
    """The filter for rows in reach of this user for this action; `patient`, `program` and `author` name the row's columns.

    `full` narrows it to the rows of which every field may be shown. Own rows (O) are reached only on models that name their author.
    What denies comes before all that allows: neither a role nor an emergency opens a restricted chart or the user's own.
    """
    held = grant(user, action, full=full)
    found = ways(user, action, full=full, patient=patient, program=program)
    if author and held.own_programs:
        found.append(Q(**{f"{program}__in": held.own_programs, author: user}))
    if not found:
        return Q(pk__in=[])
    return Q(*found, _connector=Q.OR) & not_denied(user, patient, everywhere=held.everywhere)


def ways(user: "User", action: str, *, full: bool = False, patient: str = "patient_id", program: str = "program_id") -> list[Q]:
    """The ways `scope` lets rows be reached, before what denies: each program, then care teams and emergencies.

    All at once leave the planner no index that sorts; one after the other each has its own.
    """
    from clinic.models import BreakGlass

    held = grant(user, action, full=full)
    if held.everywhere:
        return [~Q(pk=None)]
    found = [Q(**{program: each}) for each in sorted(held.programs)]
    if held.team_programs:
        mine = _team(user)  # a team is in its patient's program, so the program of the row says enough
        if held.emergency_programs:  # one list of patients: with an OR between two the planner would read the whole program
            opened = BreakGlass.objects.standing(user).filter(program_id__in=held.emergency_programs)
            mine = mine.union(opened.values("patient_id"), all=True)
        found.append(Q(**{f"{program}__in": held.team_programs, f"{patient}__in": mine}))
    return found


def _team(user: "User") -> QuerySet:
    """The ids of the patients on whose care teams the user is now."""
    from clinic.models import CareTeamMember

    return CareTeamMember.objects.filter(user=user, ended_at=None).values("patient_id")


def not_denied(user: "User", patient: str = "patient_id", *, everywhere: bool = False) -> Q:
    """False for a row whose chart is closed to this user by name, or to everybody but its care team.

    `everywhere`: only the former counts, because who reaches the whole organisation oversees restricted charts too.
    """
    from clinic.models import ChartRestriction

    closed = Q(user=user)
    if not everywhere:
        closed |= Q(user=None) & ~Q(patient_id__in=_team(user))
    return ~Q(Exists(ChartRestriction.objects.filter(closed, patient_id=OuterRef(patient), ended_at=None)))


def roles_in(user: "User", program_id: int) -> frozenset[str]:
    return frozenset(role for program, role in user.program_roles() if program == program_id)


def is_clinician(user: "User", program_id: int) -> bool:
    return bool(roles_in(user, program_id) & CLINICIANS)


def clinicians_of(program_id: int) -> QuerySet:
    """The ids of the program's clinicians, as the roles stand now; to be used inside a query."""
    return _holding(program_id, CLINICIANS)


def holders_of(action: str, program_id: int) -> QuerySet:
    """The ids of those whose roles in the program, as they stand now, allow the action; to be used inside a query."""
    return _holding(program_id, [role for role in ROLES if cell(action, role).allows])


def _holding(program_id: int, roles: Iterable[str]) -> QuerySet:
    from clinic.models import Membership

    return Membership.objects.filter(program_id=program_id, role__in=roles).values("user_id")


def role_labels(roles: Iterable[str]) -> list[str]:
    return [label for role, label in ROLES.items() if role in set(roles)]


View = Callable[..., HttpResponse]


def requires(action: str) -> Callable[[View], View]:
    """Declare a view's action. Raises KeyError at import when the action is not in the access table."""
    if action != OWN_ACCOUNT and action not in TABLE:
        raise KeyError(f"{action!r} is not in clinic/access_table.py")

    def declare(view: View) -> View:
        # A class-based view of a library gets its attribute on the function that as_view() made.
        view.action = action  # type: ignore[attr-defined]
        return view

    return declare


def declared_action(view: Any) -> str | None:
    return getattr(view, "action", None)


class AccessMiddleware:
    """Refuses, before the view runs, whatever the access table does not allow.

    Order: account active and logged in (LoginRequiredMiddleware), second factor done, the view declares an action,
    a role allows it, identity fresh where the action asks for it. Scope is applied by the view's own queryset.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        sent_away = request.method == "POST" and response.status_code == 302 and not request.user.is_authenticated
        if sent_away and not _is_public(request):
            return redirect(door.log_in_address(request))  # told there that nothing was saved
        return response

    def process_view(self, request: HttpRequest, view: Any, args: tuple, kwargs: dict) -> HttpResponse | None:
        name = request.resolver_match.view_name if request.resolver_match else ""
        if name in PUBLIC_VIEWS:
            return None
        if request.resolver_match and "admin" in request.resolver_match.app_names:
            return self._admin(request)
        action = declared_action(view)
        if action is None:
            raise Refused("This page has not been given a permission yet, so nobody may open it.")
        request.action = action  # type: ignore[attr-defined]
        user = request.user
        if not user.is_authenticated:
            return None  # LoginRequiredMiddleware has already sent them to log in
        if action != OWN_ACCOUNT and second_factor_missing(user):
            return redirect("mfa_activate_totp")
        if not may(user, action):
            raise Refused(f"Your role does not include “{action_words(action)}”.")
        return self._step_up(request, action)

    def _admin(self, request: HttpRequest) -> HttpResponse | None:
        request.action = "admin"  # type: ignore[attr-defined]
        if request.user.is_authenticated and second_factor_missing(request.user):
            return redirect("mfa_activate_totp")
        return None

    def _step_up(self, request: HttpRequest, action: str) -> HttpResponse | None:
        if action not in STEP_UP or recently_confirmed(request):
            return None
        from allauth.account.internal.flows.reauthentication import suspend_request

        if request.method == "GET":
            return suspend_request(request, reverse("account_reauthenticate"))
        if lock.by_script(request):
            raise Refused("Please confirm it is you, then try again: signing and exporting ask for this every 5 minutes.")
        from clinic.views.unlock import ask

        return ask(request)


def _is_public(request: HttpRequest) -> bool:
    return request.resolver_match is not None and request.resolver_match.view_name in PUBLIC_VIEWS


def recently_confirmed(request: HttpRequest) -> bool:
    """Identity re-confirmed (password or second factor, after log-in) in the last ACCOUNT_REAUTHENTICATION_TIMEOUT seconds."""
    # Imported late: allauth's flows read models, and this module is read while models load.
    from allauth.account.internal.flows.reauthentication import did_recently_reauthenticate

    return did_recently_reauthenticate(request)


def second_factor_missing(user: Any) -> bool:
    """True when the setting asks every member of staff for a second factor and this one has none yet."""
    if not settings.REQUIRE_SECOND_FACTOR:
        return False
    if hasattr(user, "has_second_factor"):  # read with the user (clinic/backends.py)
        return not user.has_second_factor
    from allauth.mfa.utils import is_mfa_enabled

    return not is_mfa_enabled(user)


def action_words(action: str) -> str:
    """`plan.sign` -> `sign plan`, for refusals."""
    noun, _, verb = action.partition(".")
    return f"{verb} {noun}".replace("_", " ")
