"""One section of a questionnaire: asked, saved as it is answered, asked again when the answers change what applies."""

import uuid
from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse

from clinic.cleaning import entry
from clinic.models import Episode, User
from clinic.permissions import Refused, clinicians_of, is_clinician, requires
from clinic.views.reach import about, open_episode, within
from intake import actions
from intake.answers import Answer, Key, State, from_json, to_words
from intake.branching import evaluate
from intake.forms import Question, Rows, SectionForm, id_of, name_of, row_id
from intake.formulary import notes
from intake.models import Answer as Row
from intake.models import Instrument, Medicine, Response
from intake.packet import instruments, may_fill, packet
from intake.questionnaire import Item
from intake.views.flags import safety
from intake.views.overview import progress_of, waits

CONFLICT, UNREADABLE = 409, 422


@requires("intake.edit")
def section(request: HttpRequest, episode_id: uuid.UUID, code: str, number: int = 1) -> HttpResponse:
    episode = open_episode(request, episode_id)
    draft = Response.objects.draft_of(episode, code)
    instrument = _instrument(request, episode, code, draft)
    sections = instrument.questionnaire.sections()
    if not 1 <= number <= len(sections):
        raise Http404
    page = Page(request, episode, instrument, draft, sections[number - 1], number)
    return page.post() if request.method == "POST" else page.show()


def _instrument(request: HttpRequest, episode: Episode, code: str, draft: Response | None) -> Instrument:
    """The version this episode's draft is pinned to, else the active one. Refuses what this person may not fill."""
    instrument = draft.instrument if draft else Instrument.objects.current().filter(code=code).first()
    if instrument is None or code not in instruments():
        raise Http404
    if not instrument.may_show_items:
        raise Refused("This questionnaire needs a recorded permission and its wording before its questions may be shown.")
    if not may_fill(code, observes=_observes(request, episode)):
        raise Refused(f"{instruments()[code].title} is rated by a clinician.")
    return instrument


def _observes(request: HttpRequest, episode: Episode) -> bool:
    return bool(within(request.user, "observation.enter", [episode]))  # type: ignore[arg-type]


class Page:
    """One section of one instrument in one episode, for one request."""

    def __init__(
        self, request: HttpRequest, episode: Episode, instrument: Instrument, draft: Response | None, here: Item, number: int
    ) -> None:
        self.request, self.episode, self.instrument, self.here, self.number = request, episode, instrument, here, number
        self.questionnaire = instrument.questionnaire
        self.conflicts: dict[Key, actions.Conflict] = {}
        self.take(draft, Row.objects.of(draft))

    def take(self, draft: Response | None, rows: dict[Key, Row]) -> None:
        """The draft as it stands now."""
        self.draft, self.rows = draft, rows
        self.stored = stored_answers(self.questionnaire, self.rows)
        self.evaluation = evaluate(self.questionnaire, self.stored)

    def form(self, data: Any = None, section: Item | None = None) -> SectionForm:
        form = SectionForm(
            data,
            section=section or self.here,
            stored=self.stored,
            versions={key: row.version for key, row in self.rows.items()},
            evaluation=self.evaluation,
            notes=self._notes(),
        )
        form.conflicts = {row["name"]: row for row in self._conflict_words()}
        form.observed = instruments()[self.instrument.code].observed
        form.removing = entry(self.request.GET, "remove")
        return form

    def _notes(self) -> dict[Key, str]:
        """Under the classes of each medicine: what the formulary lists for it."""
        names = {row: to_words(answer) for (item, row), answer in self.stored.items() if item == "medicines.name"}
        if not names:
            return {}
        return {("medicines.classes", row): note for row, note in notes(names, Medicine.objects.formulary()).items()}

    def show(self) -> HttpResponse:
        return self.render(self.form())

    def post(self) -> HttpResponse:
        """Save what can be read. An autosave answers with what changed; a button goes on, unless something needs a look."""
        form = self.form(self.request.POST)
        form.is_valid()
        answers = self._with_declined_rest(form) if "decline_section" in self.request.POST else form.answers
        answers |= self._removed_row(form)
        try:
            saved = actions.save_answers(
                by=self.request.user,  # type: ignore[arg-type]
                episode=self.episode,
                instrument=self.instrument,
                answers=self._decided(form, answers),
                versions=form.posted_versions | self._decided_versions(form),
                basis=entry(self.request.POST, "basis"),
                asked_again="asked_again" in self.request.POST and bool(self._screened_by()),
            )
        except actions.AlreadySubmitted:
            return self._submitted_meanwhile()
        before = self.evaluation
        self.take(saved.response, saved.rows)
        self.conflicts = {conflict.key: conflict for conflict in saved.conflicts}
        form.versions = self._versions_read(form)
        form.conflicts = {row["name"]: row for row in self._conflict_words()}
        if self.request.htmx:  # type: ignore[attr-defined]
            return self._autosaved(form)
        return self._go_on(form, before)

    # Two people, one answer

    def _decided(self, form: SectionForm, answers: dict[Key, Answer]) -> dict[Key, Answer]:
        """Without the answers of which the person chose to keep the other one."""
        return {key: answer for key, answer in answers.items() if entry(self.request.POST, f"c-{name_of(key)}") != "theirs"}

    def _decided_versions(self, form: SectionForm) -> dict[Key, int]:
        """Where the person chose their own answer, the version they have seen and are writing over."""
        chosen = {}
        for name, field in form.questions.items():
            seen = entry(self.request.POST, f"cv-{name}")
            if entry(self.request.POST, f"c-{name}") == "mine" and seen.isascii() and seen.isdigit() and len(seen) < 10:
                chosen[field.key] = int(seen)
        return chosen

    def _versions_read(self, form: SectionForm) -> dict[Key, int]:
        """What the page has read by now. Where two collided it keeps its own mark, so that only a choice can write over the other."""
        return {key: row.version for key, row in self.rows.items()} | {key: form.posted_versions.get(key, 0) for key in self.conflicts}

    def _conflict_words(self) -> list[dict[str, Any]]:
        return [
            {
                "name": name_of(key),
                "text": self.questionnaire.by_id[key[0]].text,
                "mine": to_words(conflict.mine),
                "theirs": to_words(from_json(self.questionnaire.by_id[key[0]], State(conflict.theirs.state), conflict.theirs.value)),
                "by": conflict.theirs.by,
                "own": conflict.theirs.by == self.request.user,
                "url": id_of(key),
                "at": conflict.theirs.at,
                "version": conflict.theirs.version,
            }
            for key, conflict in self.conflicts.items()
        ]

    def _submitted_meanwhile(self) -> HttpResponse:
        message = "This questionnaire was submitted since you opened the page, so your latest answers were not written into it."
        if self.request.htmx:  # type: ignore[attr-defined]
            return HttpResponse(render_to_string("intake/submitted.html", {"message": message}), status=CONFLICT)
        back = reverse("intake", kwargs={"episode_id": self.episode.public_id})
        return render(self.request, "409.html", {"message": message, "back_url": back}, status=CONFLICT)

    # Buttons

    def _with_declined_rest(self, form: SectionForm) -> dict[Key, Answer]:
        """“Decline section”: every question of the page that has no answer is declined."""
        declined = Answer(State.DECLINED)
        return {key: declined if answer.state is State.MISSING else answer for key, answer in form.answers.items()}

    def _row(self, button: str) -> tuple[Item | None, str]:
        """The row of a repeating group that a button is about."""
        group_id, _, instance = entry(self.request.POST, button).partition("~")
        group = self.questionnaire.by_id.get(group_id)
        return (group, instance) if group is not None and group.repeats and instance else (None, "")

    def _in_row(self, form: SectionForm, group: Item | None, instance: str) -> set[Key]:
        """What is stored in that row, and what was typed into it just now."""
        inside = {child.link_id for child in group.walk()} if group else set()
        keys = {*self.rows, *(field.key for field in form.questions.values())}
        return {key for key in keys if key[0] in inside and f"{key[1]}.".startswith(f"{instance}.")}

    def _removed_row(self, form: SectionForm) -> dict[Key, Answer]:
        """“Remove”: every answer of one row of a repeating group is taken back; the record keeps what it was."""
        return {key: Answer(State.MISSING) for key in self._in_row(form, *self._row("remove"))}

    def _go_on(self, form: SectionForm, before: Any) -> HttpResponse:
        if self.conflicts:
            return self.render(form, status=CONFLICT)
        given_up = self._in_row(form, *self._row("remove")) | self._in_row(form, *self._row("ask_remove"))
        if any(name not in form.questions or form.questions[name].key not in given_up for name in form.errors):
            return self.render(form, status=UNREADABLE)
        if stays := self._stays(form):
            return redirect(self._url(self.instrument.code, self.number) + stays)
        if set(self.form().questions) - set(form.questions):
            return redirect(self._url(self.instrument.code, self.number) + "?more=1")
        return redirect(self.next_url())

    def _stays(self, form: SectionForm) -> str:
        """Where on this page a button leads that does not go on; empty for those that do. Taking away asks first."""
        group, instance = self._row("ask_remove")
        if group:
            given = any(self.stored[key].state is not State.MISSING for key in self._in_row(form, group, instance) if key in self.stored)
            asked = f"?remove={group.link_id}~{instance}" if given else ""
            return f"{asked}#{row_id(group, instance)}"
        group, _ = self._row("remove")
        if group:
            messages.success(self.request, f"{group.text} removed.")
            return f"#rows-{group.link_id}"
        if "ask_decline" in self.request.POST:
            return "?decline=1#decline"
        if "asked_again" in self.request.POST:
            messages.success(self.request, "Recorded: you asked these questions yourself.")
            return "#content"
        if "add" in self.request.POST:
            part = self.form().groups.get(entry(self.request.POST, "add"))
            return f"#{row_id(part.group, part.rows[-1][0])}" if part is not None and part.rows else "#answers"
        return ""

    def next_url(self) -> str:
        """The next section in which something applies, else the next questionnaire this person may fill, else the review."""
        for number, section in enumerate(self.questionnaire.sections()[self.number :], self.number + 1):
            if self.form(section=section).questions:
                return self._url(self.instrument.code, number)
        codes, observes = list(packet(self.episode.program.packet)), _observes(self.request, self.episode)
        if self.instrument.code not in codes:  # asked besides the packet
            return reverse("intake", kwargs={"episode_id": self.episode.public_id})
        for code in codes[codes.index(self.instrument.code) + 1 :]:
            if may_fill(code, observes=observes):
                return self._url(code, 1)
        return reverse("review", kwargs={"episode_id": self.episode.public_id})

    def _url(self, code: str, number: int) -> str:
        return reverse("section", kwargs={"episode_id": self.episode.public_id, "code": code, "number": number})

    # Rendering

    def _screened_by(self) -> list[User]:
        """Shown to a clinician: whoever else's answers keep a suicide screen from being one that clinicians asked."""
        if self.instrument.code not in actions.SUICIDE_SCREENS or not is_clinician(self.request.user, self.episode.program_id):  # type: ignore[arg-type]
            return []
        authors = {row.by_id for row in self.rows.values() if row.state != State.MISSING}
        return sorted(User.objects.filter(pk__in=authors).exclude(pk__in=clinicians_of(self.episode.program_id)), key=str)

    def _autosaved(self, form: SectionForm) -> HttpResponse:
        """Only what changed on the page: versions, questions that came or went, problems, safety flags."""
        fresh = self.form()
        shown = form.shown
        rows = {name.partition("~")[2] for name in shown}
        places = [name for name in _places(fresh.parts) if name.partition("~")[2] in rows | {""}]
        taken = [name for name in fresh.questions if entry(self.request.POST, f"c-{name}") == "theirs" and name in shown]
        frames = [*(name for name in places if (name in fresh.questions) != (name in shown)), *taken]
        came_or_went = [part for link_id, part in fresh.groups.items() if bool(part.rows) != bool(form.groups[link_id].rows)]
        staying = [name for name in fresh.questions if name in shown and name not in taken]
        context = self._context(fresh) | {
            "frames": [*(fresh.draw(name, oob=True) for name in frames), *(part.render(fresh, oob=True) for part in came_or_went)],
            "versions": [(name, form.versions.get(fresh.questions[name].key, 0)) for name in staying if name not in form.errors],
            "slots": [(f"{id_of(form.questions[name].key)}-problem", form.problem(name)) for name in form.questions if name in shown],
            "settled": [name for name in staying if fresh.questions[name].key not in self.conflicts],
        }
        context["safety_news"] = context["safety_mark"] != entry(self.request.POST, "safety")
        status = CONFLICT if self.conflicts else UNREADABLE if form.errors else 200
        return HttpResponse(render_to_string("intake/autosaved.html", context, request=self.request), status=status)

    def _context(self, form: SectionForm) -> dict[str, Any]:
        return safety(self.request.user, self.episode, brief=True) | {  # type: ignore[arg-type]
            "episode": self.episode,
            "form": form,
            "draft": self.draft,
            "basis": actions.basis_of(self.episode, self.instrument.code, self.draft),
            "conflicts": self._conflict_words(),
            "progress": progress_of(self.questionnaire, self.evaluation, self.stored),
            "sections": [
                {
                    "title": part.text or self.instrument.title,
                    "url": self._url(self.instrument.code, place),
                    "here": place == self.number,
                    "progress": progress_of(self.questionnaire, self.evaluation, self.stored, part),
                    "waits": waits(self.evaluation, part),
                }
                for place, part in enumerate(self.questionnaire.sections(), 1)
            ],
        }

    def render(self, form: SectionForm, status: int = 200) -> HttpResponse:
        context = about(self.request.user, self.episode) | self._context(form) | {  # type: ignore[arg-type]
            "instrument": self.instrument,
            "here": self.here,
            "number": self.number,
            "back_url": self._url(self.instrument.code, self.number - 1) if self.number > 1 else "",
            "last": self.number == len(self.questionnaire.sections()),
            "more": "more" in self.request.GET,
            "declining": "decline" in self.request.GET,
            "observed": form.observed,
            "waits": waits(self.evaluation, self.here),
            "screened_by": self._screened_by(),
            "problems": [
                (f"{id_of(field.key)}-1", field.label, form.problem(name)) for name, field in form.questions.items() if name in form.errors
            ],
        }  # fmt: skip
        return render(self.request, "intake/section.html", context, status=status)


def stored_answers(questionnaire: Any, rows: dict[Key, Row]) -> dict[Key, Answer]:
    """The rows of a draft as typed answers."""
    return {key: from_json(questionnaire.by_id[key[0]], State(row.state), row.value) for key, row in rows.items()}


def _places(parts: Iterable[Any]) -> list[str]:
    """The names of every place of the page where a question stands or may appear, outside repeating groups."""
    names = []
    for part in parts:
        if isinstance(part, Question):
            names.append(part.name)
        elif isinstance(part, Rows):
            names += [name for _, inside in part.rows for name in _places(inside)]
    return names
