"""Configuration of the intake in Django admin: instruments and their permissions, medicines and their classes, rules."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.validators import RegexValidator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html

from clinic.admin import CarefulForm, Guarded
from clinic.cleaning import entry
from clinic.forms import Careful, DateInput
from intake.actions import add_wording
from intake.content_files import read
from intake.facts.names import CLASSES
from intake.facts.suicide import INSTRUMENTS
from intake.flags import flags
from intake.gated import slots, texts_of
from intake.interactions import interactions
from intake.models import Instrument, Medicine, Packet, RuleSetting
from intake.packet import Listed, instruments, packet
from intake.rules import Rule

MARKUP = RegexValidator(r"<\s*[A-Za-z/!?]|&#?\w+;", "Words only, please: no markup.", inverse_match=True)


class WordingForm(Careful, forms.Form):
    """The permission to use a gated questionnaire, and a text for each place of its frame that has none."""

    permission_reference = forms.CharField(
        min_length=5, max_length=200, help_text="Letter, agreement or page on which the permission stands, so that somebody else finds it.",
        error_messages={"min_length": "Please say more: at least %(limit_value)d characters."},
    )  # fmt: skip
    permission_date = forms.DateField(widget=DateInput())

    def __init__(self, *args: Any, code: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.places = slots(code)
        for slot in self.places:
            self.fields[_text(slot.link_id)] = forms.CharField(
                label=slot.label, required=slot.required, max_length=1000, validators=[MARKUP], widget=forms.Textarea(attrs={"rows": 2}),
                help_text="" if slot.required else "May stay empty.",
            )  # fmt: skip

    def clean_permission_date(self) -> datetime.date:
        day: datetime.date = self.cleaned_data["permission_date"]
        if day > timezone.localdate():
            raise forms.ValidationError("The permission lies in the future. Please check the date.")
        return day

    def texts(self) -> dict[str, str]:
        """The texts by linkId, without those that stay empty."""
        given = {slot.link_id: self.cleaned_data[_text(slot.link_id)] for slot in self.places}
        return {link_id: text for link_id, text in given.items() if text}


def _text(link_id: str) -> str:
    return f"text_{link_id}"


@admin.register(Instrument)
class InstrumentAdmin(Guarded):
    """Instruments: switch a version on or off and record a licence permission. The content itself cannot be edited."""

    view_action, edit_action = "questionnaire.import", "questionnaire.publish"
    list_display = ("title", "code", "version", "licence_status", "active", "permission_reference")
    list_filter = ("licence_status", "active")
    fields = (
        "title", "code", "url", "version", "sha256", "licence_status", "credit_line",
        "permission_and_text", "active", "permission_reference", "permission_date",
    )  # fmt: skip
    readonly_fields = ("title", "code", "url", "version", "sha256", "licence_status", "credit_line", "permission_and_text")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """The permission of a frame without its wording opens nothing: it is recorded together with the wording."""
        frame = obj is not None and obj.licence_status == Instrument.Licence.GATED and not obj.questionnaire.worded
        return (*self.readonly_fields, *(("permission_reference", "permission_date") if frame else ()))

    @admin.display(description="Permission and text")
    def permission_and_text(self, obj: Instrument) -> str:
        if obj.licence_status != Instrument.Licence.GATED:
            return "Its questions are part of Steady."
        return format_html('<a href="{}">Record the permission and the text</a>', reverse("admin:intake_instrument_wording", args=[obj.pk]))

    def get_urls(self) -> list[Any]:
        wording = path("<path:object_id>/wording/", self.admin_site.admin_view(self.wording), name="intake_instrument_wording")
        return [wording, *super().get_urls()]

    def wording(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The page “Permission and text” of a gated questionnaire."""
        instrument = self.get_object(request, unquote(object_id))
        if not self.has_change_permission(request, instrument):
            raise PermissionDenied
        if instrument is None or instrument.licence_status != Instrument.Licence.GATED:
            raise Http404
        held = {_text(link_id): text for link_id, text in texts_of(instrument.questionnaire).items()}
        permission = {name: getattr(instrument, name) for name in ("permission_reference", "permission_date")}
        form = WordingForm(request.POST or None, code=instrument.code, initial=held | permission)
        if request.method == "POST" and form.is_valid():
            reference, date = form.cleaned_data["permission_reference"], form.cleaned_data["permission_date"]
            made = add_wording(by=request.user, code=instrument.code, texts=form.texts(), reference=reference, date=date)  # type: ignore[arg-type]
            self.message_user(request, f"{made}: new intakes use this version.", messages.SUCCESS)
            return redirect("admin:intake_instrument_changelist")
        title = f"Permission and text: {instrument.title}"
        context = self.admin_site.each_context(request) | {"title": title, "instrument": instrument, "form": form, "opts": self.opts}
        return render(request, "admin/wording.html", context)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # versions come from reviewed files through `load_content`

    def save_model(self, request: HttpRequest, obj: Instrument, form: Any, change: bool) -> None:
        obj.save(update_fields=Instrument.MUTABLE_COLUMNS)


class PacketForm(CarefulForm):
    """A number for each questionnaire: its place in the intake, or nothing where it is not asked."""

    class Meta:
        model = Packet
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for place, code in enumerate(packet(self.instance.packet), 1):
            if name := self.fields.get(_place(code)):
                name.initial = place

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        places = {code: data.get(_place(code)) for code in instruments()}
        chosen = sorted((place, code) for code, place in places.items() if place)
        if not chosen:
            raise forms.ValidationError("An intake asks at least one questionnaire: give one a number.")
        if not set(INSTRUMENTS) & {code for _, code in chosen}:
            raise forms.ValidationError("Every intake asks about suicide: give the ASQ, or the C-SSRS where it is permitted, a number.")
        data["packet"] = [code for _, code in chosen]
        return data


def _place(code: str) -> str:
    return f"place_{code}"


def _place_field(listed: Listed) -> forms.IntegerField:
    gated = "; asked only after its permission is recorded" if listed.licence == Instrument.Licence.GATED else ""
    by = "rated by a clinician, " if listed.filled_by == "clinician" else ""
    return forms.IntegerField(
        label=listed.title, min_value=1, max_value=99, required=False, help_text=f"{by}about {listed.minutes} min{gated}"
    )


PLACES = {_place(code): _place_field(listed) for code, listed in instruments().items()}


@admin.register(Packet)
class PacketAdmin(Guarded):
    """The questionnaires of each program's intake, in order."""

    view_action, edit_action = "formulary.edit", "formulary.edit"
    form = type("PacketForm", (PacketForm,), dict(PLACES))
    fields = tuple(PLACES)
    list_display = ("name", "in_order", "minutes")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a program has one from the beginning

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="Asked, in order")
    def in_order(self, program: Packet) -> str:
        return ", ".join(listed.title for listed in packet(program.packet).values())

    @admin.display(description="Minutes")
    def minutes(self, program: Packet) -> int:
        return sum(listed.minutes for listed in packet(program.packet).values())

    def save_model(self, request: HttpRequest, obj: Packet, form: Any, change: bool) -> None:
        obj.packet = form.cleaned_data["packet"]
        obj.save(update_fields=["packet"])


class MedicineForm(CarefulForm):
    classes = forms.MultipleChoiceField(
        choices=[(tag, read("facts.yaml")["classes"][tag]) for tag in CLASSES], required=False, widget=forms.CheckboxSelectMultiple,
        help_text="Every medicine that carries this name is counted in these classes, whether somebody ticks them or not.",
    )  # fmt: skip

    class Meta:
        model = Medicine
        fields = ("name", "classes", "active")


@admin.register(Medicine)
class MedicineAdmin(Guarded):
    view_action, edit_action = "formulary.propose", "formulary.edit"
    form = MedicineForm
    list_display = ("name", "in_words", "active")
    list_filter = ("active",)
    search_fields = ("name",)
    ordering = ("name",)

    @admin.display(description="Classes")
    def in_words(self, medicine: Medicine) -> str:
        return ", ".join(read("facts.yaml")["classes"].get(tag, tag) for tag in medicine.classes)


@dataclass(frozen=True)
class Switch:
    """Something reviewed that a clinic can switch off. `kept_on` is why it cannot; empty when it can."""

    id: str
    name: str
    what: str
    grade: str
    source: str
    checker: str | None
    kept_on: str


class SwitchForm(CarefulForm):
    """One row of settings: what is switched, on or off, and why."""

    rule_id = forms.ChoiceField()
    reason = forms.CharField(min_length=10, max_length=300, widget=forms.Textarea(attrs={"rows": 3}))
    switches: Mapping[str, Switch] = {}

    class Meta:
        model = RuleSetting
        fields = ("rule_id", "enabled", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "rule_id" in self.fields:  # not on the page of a row that stands
            self.fields["rule_id"].choices = [(row.id, f"{row.id} {row.name}") for row in self.switches.values()]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        switch = self.switches.get(data.get("rule_id", ""))
        if switch and switch.kept_on and not data.get("enabled"):
            raise forms.ValidationError(f"{switch.id} cannot be switched off: {switch.kept_on}")
        return data


class SwitchAdmin(Guarded):
    """What there is, on or off, with the log of who switched what and why. Rows are only added; the latest one counts."""

    view_action, edit_action = "settings.propose", "settings.approve"
    list_display = ("rule_id", "enabled", "reason", "by", "at")
    fields = ("rule_id", "enabled", "reason")
    change_list_template = "admin/switches.html"

    def switches(self) -> Mapping[str, Switch]:
        raise NotImplementedError

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).filter(rule_id__in=self.switches()).order_by("-id")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        bound = type("SwitchForm", (SwitchForm,), {"switches": self.switches()})
        return super().get_form(request, obj, change=change, form=bound, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"rule_id": entry(request.GET, "rule_id"), "enabled": entry(request.GET, "enabled") != "0"}

    def save_model(self, request: HttpRequest, obj: RuleSetting, form: Any, change: bool) -> None:
        obj.by, obj.at = request.user, timezone.now()  # type: ignore[assignment]
        obj.save()

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        current = RuleSetting.objects.current()
        rows = [
            {"switch": switch, "enabled": current[id_].enabled if id_ in current else True}
            for id_, switch in self.switches().items()
        ]
        return super().changelist_view(request, (extra_context or {}) | {"switches": rows})


@admin.register(RuleSetting)
class RuleSettingAdmin(SwitchAdmin):
    """Safety flags and interactions."""

    def switches(self) -> Mapping[str, Switch]:
        return {rule.id: _switch(rule) for rule in (*flags().values(), *interactions().values())}


def _switch(rule: Rule) -> Switch:
    kept_on = "it may be critical, and critical rules always run." if rule.can_be_critical else ""
    return Switch(rule.id, rule.name, rule.fires_if.text, rule.grade, rule.source, rule.checker, kept_on)
