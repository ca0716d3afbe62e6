"""A safety flag is acknowledged by a named person who says what was done."""

import hashlib
import uuid
from collections.abc import Iterable
from typing import Any, NamedTuple

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme

from clinic.cleaning import entry
from clinic.models import Episode, User
from clinic.permissions import Refused, holders_of, is_clinician, requires, roles_in
from clinic.views.reach import about, in_full, open_episode, within
from intake import actions
from intake.forms import AcknowledgeForm, EvaluationForm
from intake.interactions import by_medicine
from intake.models import Flag

CRITICAL = Flag.Severity.CRITICAL
QUIET = {Flag.Status.ACKNOWLEDGED: "acknowledged", Flag.Status.OVERRIDDEN: "overridden", Flag.Status.SNOOZED: "put off"}


def safety(user: User, episode: Episode, *, brief: bool = False) -> dict[str, Any]:
    """What the safety banner of a page takes; every list is worst first.

    flags: the open ones that fire, `critical` those of them that are. urgent, calm: the same in groups, with a critical flag and without
    one; `brief`, above a form: what is not critical in one line for all. kept: critical ones that somebody acted on while they still fire.
    folded: (words, flags), one line for all. standing: all of them; flags_said: how many, in words. crisis: the program's crisis
    text while a critical one stands.
    """
    standing = as_allowed(user, episode, Flag.objects.filter(episode=episode).standing().select_related("acknowledged_by", "decided_by"))
    firing = [flag for flag in standing if flag.still_fires]
    opened = [flag for flag in firing if flag.asks]
    critical = [flag for flag in opened if flag.severity == CRITICAL]
    kept = [flag for flag in firing if flag.severity == CRITICAL and flag not in critical]
    others = [flag for flag in opened if flag not in critical]
    quiet = [flag for flag in firing if flag not in opened and flag not in kept]
    folded = {
        "to acknowledge": others if brief else [],
        **{words: [flag for flag in quiet if flag.status == status] for status, words in QUIET.items()},
        "no longer firing": [flag for flag in standing if not flag.still_fires],
    }
    groups = grouped([*critical, *([] if brief else others)])
    return {
        "flags": opened,
        "urgent": [group for group in groups if group.critical],
        "calm": [group for group in groups if not group.critical],
        "critical": critical,
        "kept": kept,
        "folded": [(words, flags) for words, flags in folded.items() if flags],
        "holding": next((flag for flag in standing if flag.holds), None),
        "standing": standing,
    } | _counted(standing) | around(user, episode, standing)


class Group(NamedTuple):
    """Flags that stand under one heading because they rest on the same medicine; without a medicine, a flag by itself."""

    flags: list[Flag]
    medicine: str = ""

    @property
    def critical(self) -> bool:
        return any(flag.severity == CRITICAL for flag in self.flags)

    @property
    def rules(self) -> str:
        return ", ".join(flag.rule_id for flag in self.flags)

    @property
    def asking(self) -> int:
        """How many of them are to be acknowledged."""
        return sum(flag.unanswered and flag.severity > Flag.Severity.INFO for flag in self.flags)


def grouped(flags: list[Flag]) -> list[Group]:
    """The flags in their order; interactions that rest on the same medicine together, in the place of the gravest."""
    named = by_medicine({flag.rule_id: flag.medicines for flag in flags})
    of_rule = {rule_id: medicine for medicine, rules in named.items() for rule_id in rules}
    groups: dict[str, Group] = {}
    for flag in flags:
        medicine = of_rule.get(flag.rule_id, "")
        groups.setdefault(medicine or flag.rule_id, Group([], medicine)).flags.append(flag)
    return list(groups.values())


def together_with(user: User, episode: Episode, flag: Flag) -> list[Flag]:
    """The other interactions to be acknowledged that rest on a medicine of this one, as far as this person reads what they rest on."""
    standing = as_allowed(user, episode, Flag.objects.filter(episode=episode).standing().select_related("acknowledged_by"))
    mine = next((set(one.medicines) for one in standing if one.pk == flag.pk and one.rule_id.startswith("IX")), set())
    clinician = is_clinician(user, episode.program_id)
    return [
        one
        for one in standing
        if one.pk != flag.pk and one.rule_id.startswith("IX") and one.unanswered and mine & set(one.medicines)
        and one.severity > Flag.Severity.INFO and (clinician or one.severity < CRITICAL)
    ]  # fmt: skip


def _counted(standing: list[Flag]) -> dict[str, Any]:
    """How many, for the header and in words; and the mark by which a page sees that the banner has news."""
    count = f"{len(standing)} flag{'' if len(standing) == 1 else 's'}"
    return {
        "flags_said": f"{count}, {_acknowledged(standing)}" if standing else "",
        "alerts": [{"level": standing[0].severity_word, "text": count}] if standing else [],
        "safety_mark": _mark(standing),
    }


def around(user: User, episode: Episode, standing: list[Flag]) -> dict[str, Any]:
    """What is said around flags: the crisis text, whom to call, who acknowledges, to whom what waits too long is escalated."""
    may_acknowledge = bool(within(user, "flag.acknowledge", [episode]))
    clinician = may_acknowledge and is_clinician(user, episode.program_id)
    call = standing and not clinician and not episode.program.duty_phone
    return {
        "crisis": episode.program.crisis_text if any(flag.severity == CRITICAL for flag in standing) else "",
        "may_acknowledge": may_acknowledge,
        "may_acknowledge_critical": clinician,
        "duty_names": _on_duty(episode) if call else [],
        "supervisors": _supervisors(episode) if any(flag.overdue for flag in standing) else [],
    }


def _supervisors(episode: Episode) -> list[str]:
    """To whom a critical flag that waits too long is escalated."""
    holders = User.objects.filter(is_active=True, pk__in=holders_of("flag.escalated", episode.program_id))
    return [user.signature_name for user in holders.order_by("last_name", "first_name")]


def _on_duty(episode: Episode) -> list[str]:
    team = episode.program.duty_team.filter(is_active=True).order_by("last_name", "first_name")
    return [member.signature_name for member in team]


def _acknowledged(standing: list[Flag]) -> str:
    if waiting := sum(flag.unanswered for flag in standing):
        return f"{waiting} not acknowledged yet"
    words = " or ".join(dict.fromkeys(QUIET[Flag.Status(flag.status)] for flag in standing))
    return words if len(standing) == 1 else f"all {words}"


def _mark(standing: list[Flag]) -> str:
    """Changes with what the banner shows: an autosave brings the banner only when it is news."""
    shown = [(flag.pk, flag.status, flag.asks, flag.overdue, flag.severity, flag.still_fires, flag.holds) for flag in standing]
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:12]


def as_allowed(user: User, episode: Episode, flags: Iterable[Flag]) -> list[Flag]:
    """The flags with what this person may read of them; nothing of this is ever saved.

    The proof is made of answers, so it needs those in full too. The minimum is the flag with what to do for a peer and the flag
    alone for the front desk, but what a critical one asks for now is for everybody: somebody must act.
    """
    full = in_full(user, "scores.view", episode)
    proven = full and in_full(user, "intake.view", episode)
    acts = full or "peer" in roles_in(user, episode.program_id)
    shown = list(flags)
    for flag in shown:
        flag.program = episode.program  # its clock asks for the program's minutes
        flag.proof = flag.proof if proven else {}
        flag.opened_because = flag.opened_because if proven else ""
        flag.action_taken, flag.reason = (flag.action_taken, flag.reason) if full else ("", "")
        flag.action = flag.action if acts or flag.severity == CRITICAL else ""
        flag.message = flag.message if acts or (flag.severity == CRITICAL and flag.asks) else ""
    return shown


@requires("flag.acknowledge")
def acknowledge(request: HttpRequest, episode_id: uuid.UUID, flag_id: uuid.UUID) -> HttpResponse:
    """`together` in the address: the others of the same medicine are ticked already."""
    user: User = request.user  # type: ignore[assignment]
    episode = open_episode(request, episode_id)
    flag = get_object_or_404(Flag, episode=episode, public_id=flag_id)
    context = about(user, episode)
    back = _came_from(request) or context.get("chart_url", "/")
    others = together_with(user, episode, flag)
    ticked = [str(one.public_id) for one in others] if entry(request.GET, "together") else []
    form = AcknowledgeForm(request.POST or None, others=others, initial={"together": ticked})
    if request.method == "POST" and form.is_valid():
        try:
            actions.acknowledge(by=user, flag=flag, action_taken=form.cleaned_data["action_taken"], together=form.chosen)
        except actions.NotForYou:
            raise Refused("A critical flag is acknowledged by a clinician.") from None
        messages.success(request, f"{', '.join(one.name for one in (flag, *form.chosen))}: acknowledged.")
        return redirect(back)
    twins = Flag.objects.acknowledged_with(flag)
    (shown,) = as_allowed(user, episode, [flag])
    context |= around(user, episode, [shown]) | {"flag": shown, "form": form, "others": twins, "back_url": back}
    return render(request, "intake/acknowledge.html", context, status=422 if form.errors else 200)


@requires("flag.acknowledge")
def record_evaluation(request: HttpRequest, episode_id: uuid.UUID, flag_id: uuid.UUID) -> HttpResponse:
    """What the emergency evaluation found; until it is recorded, every component but the safety ones is on hold."""
    episode = open_episode(request, episode_id)
    flag = get_object_or_404(Flag.objects.holding(), episode=episode, public_id=flag_id)
    form = EvaluationForm(request.POST or None)
    if not is_clinician(request.user, episode.program_id):  # type: ignore[arg-type]
        raise Refused("The emergency evaluation is recorded by a clinician.")
    if request.method == "POST" and form.is_valid():
        actions.record_evaluation(by=request.user, flag=flag, evaluation=form.cleaned_data["evaluation"])  # type: ignore[arg-type]
        messages.success(request, "The emergency evaluation is recorded. What was on hold is not any more.")
        return redirect("chart", episode_id=episode.public_id)
    context = about(request.user, episode) | {"flag": flag, "form": form}  # type: ignore[arg-type]
    return render(request, "intake/record_evaluation.html", context, status=422 if form.errors else 200)


def _came_from(request: HttpRequest) -> str:
    """The page of this program that led here; empty for any other address."""
    address = entry(request.POST, "next") or entry(request.GET, "next")
    return address if address.startswith("/") and url_has_allowed_host_and_scheme(address, allowed_hosts=None) else ""
