"""A whole plan document for the tests: an invented person, every part filled."""

import datetime
from decimal import Decimal
from typing import Any

from plans import document

SIGNED_AT = datetime.datetime(2026, 11, 23, 21, 30, tzinfo=datetime.UTC)
SIGNATURES = [
    {"name": "Dana Reyes", "credential": "LCSW", "discipline": "therapist", "meaning": "author", "at": SIGNED_AT},
    {
        "name": "Sam Okafor",
        "credential": "MD",
        "discipline": "physician",
        "meaning": "certifier",
        "at": SIGNED_AT + datetime.timedelta(hours=1),
    },
]


def intervention(**changes: Any) -> dict[str, Any]:
    return {
        "text": "Individual CBT, one problem at a time",
        "discipline": "therapist",
        "responsible": "Dana Reyes",
        "frequency": "weekly",
        "duration": "8 weeks",
        "start_on": datetime.date(2026, 11, 24),
        "review_on": datetime.date(2026, 12, 23),
        "component_id": "",
    } | changes


def goal(**changes: Any) -> dict[str, Any]:
    return {
        "text": "From 32 g a day to none by the end of February, one step a week",
        "patient_words": "I want my mornings back, without counting capsules.",
        "measure": "Leaf, g a day",
        "baseline": Decimal("32.00"),
        "target": Decimal("0.00"),
        "target_date": datetime.date(2027, 2, 28),
        "component_id": "",
        "objectives": [{"text": "Weigh every dose and keep to the step plan", "interventions": [intervention()]}],
    } | changes


def suggestion(**changes: Any) -> dict[str, Any]:
    return {
        "component_id": "DTX-01",
        "name": "Outpatient leaf taper",
        "tier": "core",
        "because": ["Kratom or 7-OH is used daily (25 or more of 30 days).", "The SUD-11 count is 5, and 2 or more counts."],
        "contraindication": "as expression; unstable illness",
        "contra_now": [],
        "cite": "CDC 2022 opioid taper by analogy",
        "grade": "D",
        "decision": "accepted",
        "reason": "",
        "note": "Steps of 10% of the first dose, every 7 days.",
        "hold": False,
        "only_for": [],
    } | changes


def decided(**changes: Any) -> dict[str, Any]:
    return {
        "level": "2.1",
        "label": "Intensive outpatient",
        "reason_code": "patient_preference",
        "reason": "The patient prefers it",
        "explanation": "She wants more hours at first.",
        "needs": [{"id": "N1", "name": "Withdrawal", "computed": 1, "rating": 2, "reason": "Restless at night."}],
        "by": "Dana Reyes, LCSW",
        "at": SIGNED_AT,
    } | changes


def plan(**changes: Any) -> dict[str, Any]:
    """Everything build() asks for."""
    return {
        "number": 1,
        "provisional": False,
        "language": "en-US",
        "timezone": "America/Chicago",
        "ids": {name: f"00000000-0000-0000-0000-00000000000{n}" for n, name in enumerate(("plan", "episode", "patient", "program"), 1)},
        "supersedes": None,
        "certifier": "",
        "program": {"name": "Riverside outpatient"},
        "patient": {
            "name": "Denise Example",
            "preferred_name": "Dee",
            "birth_date": datetime.date(1974, 3, 9),
            "record_number": "R-000123",
            "pronouns": "she/her",
        },
        "assessment": {"submitted_at": SIGNED_AT, "evaluated_at": SIGNED_AT - datetime.timedelta(hours=2)},
        "questionnaires": [
            {"url": "https://steady.health/Questionnaire/phq9", "version": "1.0.0", "title": "PHQ-9", "sha256": "ab" * 32, "answers": []}
        ],
        "scores": [
            {"code": "phq9", "name": "PHQ-9", "total": 13, "band": "moderate", "text": "moderate"},
            {"code": "cows", "name": "COWS", "total": None, "band": None, "text": "at least 4, 2 not answered yet"},
        ],
        "needs": [
            {"id": "N1", "name": "Withdrawal", "rating": 1, "text": "Daily use, COWS 4"},
            {"id": "N2", "name": "Body", "rating": None, "text": ""},
        ],
        "level": {
            "level": "1.5",
            "label": "Outpatient therapy",
            "rule": "L11",
            "text": "Suggested level of care 1.5, outpatient therapy (rule L11).",
            "decided": decided(level="2.1", label="Intensive outpatient", cosigned_by="Sam Okafor, MD", cosigned_at=SIGNED_AT),
            "waiting": decided(level="1.0", label="Long-term check-ups", explanation="She moves away in a week.", needs=[]),
        },
        "flags": [
            {
                "rule": "SF-06",
                "name": "Overdose risk",
                "severity": "HIGH",
                "message": "What you take can slow your breathing, most of all in mixtures. Please take a naloxone kit home.",
                "action": "Naloxone in hand today, one other person trained (DTX-05).",
                "status": "Answered by DTX-05",
                "acknowledged_by": None,
                "acknowledged_at": None,
            },
            {
                "rule": "IX-12",
                "name": "Liver",
                "severity": "CRITICAL",
                "message": "Kratom can injure the liver.",
                "action": "ALT, AST, ALP, bilirubin, INR.",
                "status": "Open",
                "acknowledged_by": "Dana Reyes",
                "acknowledged_at": SIGNED_AT,
                "action_taken": "Kit handed over, sister trained",
            },
            {
                "rule": "IX-18",
                "name": "Blood pressure",
                "severity": "MODERATE",
                "message": "Clonidine/lofexidine can drop blood pressure further.",
                "action": "Hold dose if SBP<90 or pulse<50 (config 60); orthostatic BP.",
                "status": "",
                "acknowledged_by": None,
                "acknowledged_at": None,
            },
        ],
        "suggestions": [
            suggestion(),
            suggestion(
                component_id="MED-05",
                name="Liver tests",
                contraindication="none",
                note="",
                cite="LiverTox kratom",
                grade="C",
                because=["Kratom or 7-OH is used daily (25 or more of 30 days)."],
            ),
            suggestion(component_id="CMP-02", name="Yoga", decision="declined", reason="Prefers walking."),
            suggestion(component_id="CMP-01", name="Mindfulness, meditation, breathing", decision="not now"),
        ],
        "undecided": [{"component_id": "PAIN-01", "name": "Multimodal pain plan", "ask": ["PEG pain scale"]}],
        "problems": [{"title": "Kratom use, moderate", "source": "SUD-11: 5, moderate", "goals": [goal()]}],
        "deferrals": [{"rule": "PV-4", "subject": "", "reason": "The prescriber joins after the holidays."}],
        "discharge_criteria": "Four weeks without kratom, PHQ-9 below 5, aftercare visit booked.",
        "review_on": datetime.date(2026, 12, 23),
        "patient_signature": {"status": "signed", "reason": ""},
        "copy_offered": True,
        "content_hash": "12" * 32,
        "settings_hash": "34" * 32,
        "unreviewed": ["components.yaml"],
    } | changes


def first_plan(**changes: Any) -> dict[str, Any]:
    """The same person's plan as it was written under steady-plan/1."""
    return {name: value for name, value in plan(**changes).items() if name in document.SCHEMAS[document.FIRST]} | {"schema": document.FIRST}
