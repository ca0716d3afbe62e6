"""The printed plan: an accessible PDF (PDF/UA-1, tagged, typst) of a plan as it was signed.

The same document, signatures and status give the same bytes whenever they are printed: no clock is read, the PDF's
creation time is that of the last signature. What people typed is passed as values, so none of it is read as markup.
"""

import datetime
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import typst

from plans import document as canonical
from plans.home import sent_home
from plans.printable import as_written, printable

TEMPLATE = Path(__file__).parent / "typst" / "plan.typ"
TITLES = {"clinic": "Treatment plan", "patient": "Your treatment plan"}
PROVISIONAL = "PROVISIONAL"
PROVISIONAL_NOTE = "Written from an unfinished intake, because treatment could not wait. Some questions are still open."
CRISIS = "In a crisis call or text 988, at any hour. If a life is in danger, call 911."
PATIENT_SIGNED = {
    "clinic": {
        "": "The patient has not been asked to sign yet.",
        "signed": "The patient signed in the clinic.",
        "declined": "The patient declined to sign.",
        "absent": "The patient could not sign on the day.",
    },
    "patient": {
        "": "You have not been asked to sign yet.",
        "signed": "You signed in the clinic.",
        "declined": "You chose not to sign.",
        "absent": "You could not sign on the day.",
    },
}
NOT_DRAWN = "Some characters cannot be printed and stand here as [U+...]; the name as written is in the record."
WORDS = {
    "clinic": {
        "safety": "Safety first",
        "crisis": CRISIS,
        "no_flags": "No safety flag or interaction is open.",
        "goals": "Problems, goals and what is done",
        "no_goals": "No goal has been written yet.",
        "goal": "Goal",
        "objective": "Objective",
        "intervention_head": ["Intervention", "Who", "How often, how long", "Start and review"],
        "accepted": "Components accepted",
        "hold": "on hold until the emergency evaluation is recorded",
        "declined": "Not chosen",
        "next": "Review and discharge",
        "signature_head": ["Name", "Discipline", "Meaning", "Time"],
        "hash": "SHA-256",
        "hash_note": "This hash is the fingerprint of the signed document. Any change, however small, gives another hash.",
        "unreviewed": "Not yet clinically reviewed: the content behind the suggestions waits for a named clinician's check.",
    },
    "patient": {
        "safety": "Your safety comes first",
        "crisis": CRISIS,
        "no_flags": "Tell us at once if something worries you.",
        "goals": "Your goals and how we get there",
        "no_goals": "We write your goals together at the next visit.",
        "goal": "Goal",
        "objective": "Step",
        "intervention_head": ["What happens", "Who", "How often, how long", "When"],
        "accepted": "What you chose",
        "hold": "waits until the emergency check is done",
        "declined": "What you did not choose for now",
        "next": "What comes next",
        "signature_head": ["Name", "Work", "What they did", "When"],
        "hash": "Check number",
        "hash_note": "The check number shows that your copy is of the plan we keep.",
        "unreviewed": "The texts this plan was built from have not been checked by a named clinician yet.",
    },
}
MEANINGS = {
    "clinic": {"author": "Author of the plan", "certifier": "Reviewed and certified"},
    "patient": {"author": "Wrote the plan", "certifier": "Checked the plan"},
}
SEVERITIES = ("CRITICAL", "HIGH", "MODERATE", "INFO")
NAME_IN_HEADER = 60  # characters of the name at the top of each page; the box on the first page has all of it
LONG_CELL = 160  # characters from which a row of a table is written as a paragraph


def render(
    document: Mapping[str, Any],
    signatures: Sequence[Mapping[str, Any]],
    status: str = "In force",
    copy: str = "clinic",
) -> bytes:
    """The PDF of a signed document (document.load of its bytes).

    signatures: [{name, credential, discipline, meaning "author" or "certifier", at: aware date-time or ISO text}].
    status: said at the top, e.g. "In force", "Superseded by version 3", "Draft, not signed".
    copy: "clinic", or "patient" for the patient's copy in plain words, without what is not sent home (plans/home.py).
    Raises DocumentError when the document lacks a part, KeyError for an unknown copy.
    """
    sha = canonical.sha256(canonical.build(document))
    plan = canonical.load(canonical.build(document))
    shown = plan if copy == "clinic" else sent_home(plan)
    view = _view(shown, [dict(s) for s in signatures], status, copy, sha)
    view = printable(view) | {"hash": sha, "not_drawn": "" if as_written(view) else NOT_DRAWN}
    moments = [_moment(s["at"]) for s in signatures] or [_moment(plan["assessment"]["evaluated_at"])]
    return typst.compile(
        TEMPLATE.read_bytes(),
        format="pdf",
        ignore_system_fonts=True,
        sys_inputs={"data": json.dumps(view, ensure_ascii=False)},
        pdf_standards=["ua-1"],
        timestamp=int(max(moments).timestamp()),
    )


def _view(plan: dict[str, Any], signatures: list[dict[str, Any]], status: str, copy: str, sha: str) -> dict[str, Any]:
    """Everything the template shows, as texts: the template decides only where it stands."""
    clinic = copy == "clinic"
    zone = ZoneInfo(plan["timezone"])
    language, _, region = plan["language"].partition("-")
    patient = plan["patient"]
    title = TITLES[copy]
    return {
        "title": f"{title}, version {plan['number']}",
        "lang": language,
        "region": region or None,
        "clinic": clinic,
        "subtitle": f"{plan['program']['name']} · {status}" + ("" if clinic else " · Your copy"),
        "head": {
            "left": f"{title}, version {plan['number']} · {status}" if clinic else f"Your copy · version {plan['number']}",
            "right": f"{_short(patient['name'])} · {patient['record_number']}",
        },
        "foot": f"{WORDS[copy]['hash']} {sha[:12]}",
        "provisional": PROVISIONAL if plan["provisional"] else None,
        "provisional_note": PROVISIONAL_NOTE,
        "words": WORDS[copy],
        "patient": list(_patient(plan, zone, clinic)),
        "flags": [_flag(flag, zone) for flag in sorted(plan["flags"], key=_severity)],
        "problems": [_problem(problem) for problem in plan["problems"]],
        "accepted": [_accepted(row) for row in plan["suggestions"] if row["decision"] == "accepted"],
        "declined": [_declined(row, clinic) for row in plan["suggestions"] if row["decision"] in ("declined", "not now")],
        "deferrals": [[_joined(" ", r["rule"], r.get("subject")), r["reason"]] for r in plan["deferrals"]],
        "undecided": [[r["name"], "; ".join(_texts(r["ask"]))] for r in plan["undecided"]],
        "next": list(_next(plan, clinic)),
        "level": _text(plan["level"].get("text") or plan["level"].get("label")) if plan["level"] else "",
        "decided": list(_decided(plan["level"] or {}, zone)),
        "scores": [[s["name"], _text(s.get("total"), "not scored"), _text(s.get("text") or s.get("band"), "-")] for s in plan["scores"]],
        "needs": [[f"{n['id']} {n['name']}", _text(n.get("rating"), "not known yet"), _text(n.get("text"), "-")] for n in plan["needs"]],
        "instruments": [[q["title"], q["version"], q["sha256"][:16]] for q in plan["questionnaires"]],
        "signatures": [_signature(row, zone, MEANINGS[copy]) for row in signatures],
        "patient_signature": _patient_signature(plan["patient_signature"], PATIENT_SIGNED[copy]),
        "reviewed": WORDS[copy]["unreviewed"] if plan["unreviewed"] else "",
    }


def _decided(level: Mapping[str, Any], zone: ZoneInfo) -> Iterator[str]:
    """What was decided beside the suggestion; a document from before there were decisions has none."""
    for name, words in (("decided", "Decided"), ("waiting", "Waits for a co-signature, and counts only then")):
        if row := level.get(name):
            because = f", because: {row['reason']}" if row["reason"] else ""
            cosigned = f"Co-signed by {row['cosigned_by']}, {_time(row['cosigned_at'], zone)}." if row.get("cosigned_by") else ""
            by = f"{words}: {row['level']}, {row['label']}, by {row['by']}, {_time(row['at'], zone)}{because}."
            needs = (f"{n['id']} {n['name']}: rated {n['rating']}, computed {n['computed']}: {n['reason']}." for n in row["needs"])
            yield _joined(" ", by, row["explanation"], *needs, cosigned)


def _patient(plan: dict[str, Any], zone: ZoneInfo, clinic: bool) -> Iterator[list[str]]:
    patient = plan["patient"]
    yield ["Name", patient["name"]]
    if patient.get("preferred_name"):
        yield ["Preferred name", _joined(", ", patient["preferred_name"], patient.get("pronouns"))]
    yield ["Born", _day(patient["birth_date"])]
    yield ["Record number", patient["record_number"]]
    yield ["Assessed" if clinic else "You answered on", _time(plan["assessment"]["evaluated_at"], zone)]
    yield ["Review by" if clinic else "We look at it again by", _day(plan["review_on"]) or "not set"]


def _flag(flag: dict[str, Any], zone: ZoneInfo) -> dict[str, str]:
    by, at = flag.get("acknowledged_by"), flag.get("acknowledged_at")
    acknowledged = f"Acknowledged by {by}, {_time(at, zone)}" if by and at else ""
    parts = {key: _text(flag.get(key)) for key in ("rule", "name", "message", "action")}
    status = _joined(": ", acknowledged, flag.get("action_taken")) or _text(flag.get("status"))
    return {**parts, "severity": flag["severity"].capitalize(), "status": status}


def _severity(flag: dict[str, Any]) -> tuple[int, str]:
    return SEVERITIES.index(flag["severity"]), flag["rule"]


def _problem(problem: dict[str, Any]) -> dict[str, Any]:
    goals = [_goal(goal) for goal in problem["goals"]]
    return {"title": problem["title"], "source": _text(problem.get("source")), "goals": goals}


def _goal(goal: dict[str, Any]) -> dict[str, Any]:
    measure = [
        ["Measured by", _text(goal.get("measure"))],
        ["Now", _text(goal.get("baseline"))],
        ["Target", _text(goal.get("target"))],
        ["By", _day(goal.get("target_date"))],
    ]
    return {
        "text": goal["text"],
        "words": _text(goal.get("patient_words")),
        "measure": [pair for pair in measure if pair[1]],
        "objectives": [_objective(objective) for objective in goal["objectives"]],
    }


def _objective(objective: dict[str, Any]) -> dict[str, Any]:
    rows = [_intervention(row) for row in objective["interventions"]]
    return {"text": objective["text"], "interventions": rows, "long": any(len(cell) > LONG_CELL for row in rows for cell in row)}


def _intervention(row: dict[str, Any]) -> list[str]:
    start, review = _day(row.get("start_on")), _day(row.get("review_on"))
    dates = _joined("; ", f"from {start}" if start else "", f"review {review}" if review else "")
    who = _joined(", ", row.get("responsible"), row.get("discipline"))
    return [row["text"], who or "-", _joined(", ", row.get("frequency"), row.get("duration")) or "-", dates or "-"]


def _accepted(row: dict[str, Any]) -> dict[str, Any]:
    caution = _joined("; ", None if row.get("contraindication") == "none" else row.get("contraindication"), *_texts(row.get("contra_now")))
    return {
        "id": row["component_id"],
        "name": row["name"],
        "note": _text(row.get("note")),
        "hold": bool(row.get("hold")),
        "because": " ".join(_texts(row.get("because"))),
        "caution": caution,
        "evidence": f"Grade {row['grade']}. {row['cite']}" if row.get("cite") else "",
    }


def _declined(row: dict[str, Any], clinic: bool) -> list[str]:
    return [row["name"], _capital(row["decision"]), *([row.get("reason") or "-"] if clinic else [])]


def _next(plan: dict[str, Any], clinic: bool) -> Iterator[list[str]]:
    if not clinic:
        yield ["We look at the plan together by", _day(plan["review_on"]) or "a day we have not set yet"]
        criteria = _text(plan["discharge_criteria"], "we have talked about it: ask us at your visit")
        yield ["You are ready to finish or to move on when", criteria]
        return
    yield ["Review by", _day(plan["review_on"]) or "not set"]
    yield ["Ready for discharge or transfer when", _text(plan["discharge_criteria"], "not written yet")]
    yield ["Copy of the plan", "offered to the patient" if plan["copy_offered"] else "not offered yet"]


def _signature(row: dict[str, Any], zone: ZoneInfo, meanings: Mapping[str, str]) -> list[str]:
    meaning = meanings.get(row["meaning"], row["meaning"])
    return [_joined(", ", row["name"], row.get("credential")), _capital(row["discipline"]), meaning, _time(row["at"], zone)]


def _patient_signature(row: dict[str, Any], sentences: Mapping[str, str]) -> str:
    said = sentences.get(row["status"], row["status"])
    return f"{said} Reason: {row['reason']}" if row.get("reason") else said


def _short(name: str) -> str:
    name = printable(name).replace("\u200b", "")  # a character that cannot be drawn takes eight places
    return name if len(name) <= NAME_IN_HEADER else f"{name[:NAME_IN_HEADER].rstrip()}…"


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(item) for item in value or ()]


def _text(value: Any, instead: str = "") -> str:
    return instead if value is None or value == "" else str(value)


def _joined(separator: str, *parts: Any) -> str:
    return separator.join(str(part) for part in parts if part)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _day(value: str | None) -> str:
    return _date(datetime.date.fromisoformat(value)) if value else ""


def _date(day: datetime.date) -> str:
    return f"{day.day} {day:%b %Y}"


def _moment(value: datetime.datetime | str) -> datetime.datetime:
    return value if isinstance(value, datetime.datetime) else datetime.datetime.fromisoformat(value)


def _time(value: datetime.datetime | str, zone: ZoneInfo) -> str:
    local = _moment(value).astimezone(zone)
    return f"{_date(local.date())}, {local:%H:%M %Z}"
