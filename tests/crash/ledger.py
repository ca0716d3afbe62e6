"""The journal against the tables, read as the superuser: nothing acknowledged is lost, nothing is half there, nothing is there twice."""

import re
from collections import Counter
from typing import Any

from tests.crash.house import House
from tests.crash.journey import Journal

# Each query finds what is half done, or there twice; none may find a row.
HALF = {
    "an episode without its patient's registration in the record": """
        SELECT p.id FROM clinic_patient p WHERE 1 <> (SELECT count(*) FROM clinic_change c JOIN clinic_change e
            ON e.transaction = c.transaction AND e."table" = 'clinic_episode' AND e.operation = 'INSERT' AND e.patient_id = p.id
            WHERE c."table" = 'clinic_patient' AND c."row" = p.id AND c.operation = 'INSERT' AND c.user_id = p.registered_by_id)""",
    "a patient without an episode or a care team": """
        SELECT p.id FROM clinic_patient p WHERE NOT EXISTS (SELECT 1 FROM clinic_episode e JOIN clinic_careteammember m
            ON m.episode_id = e.id WHERE e.patient_id = p.id)""",
    "an answer that the record has not": """
        SELECT a.id FROM intake_answer a WHERE a.version <> (SELECT count(*) FROM clinic_change c
            WHERE c."table" = 'intake_answer' AND c."row" = a.id)""",
    "an assessment without a score, a frozen response or a flag": """
        SELECT a.id FROM intake_assessment a WHERE NOT EXISTS (SELECT 1 FROM intake_score s WHERE s.assessment_id = a.id)
            OR EXISTS (SELECT 1 FROM intake_response r WHERE r.episode_id = a.episode_id
                AND (r.status <> 'completed' OR r.document IS NULL OR r.completed_at IS NULL))
            OR NOT EXISTS (SELECT 1 FROM intake_flag f WHERE f.episode_id = a.episode_id)""",
    "an assessment of an episode that is not assessed, or whose worst flag the caseload does not know": """
        SELECT a.id FROM intake_assessment a JOIN clinic_episode e ON e.id = a.episode_id
            WHERE e.stage IN ('registered', 'intake') OR e.acuity <> (SELECT max(f.severity) FROM intake_flag f
                WHERE f.episode_id = e.id AND f.status <> 'resolved')""",
    "a submit whose parts were not recorded in one transaction": """
        SELECT a.id FROM intake_assessment a WHERE NOT EXISTS (
            SELECT 1 FROM clinic_change c WHERE c."table" = 'intake_assessment' AND c."row" = a.id AND c.user_id = a.by_id
            AND EXISTS (SELECT 1 FROM clinic_change r WHERE r.transaction = c.transaction AND r."table" = 'intake_response'
                AND r.after ->> 'status' = 'completed')
            AND EXISTS (SELECT 1 FROM clinic_change s WHERE s.transaction = c.transaction AND s."table" = 'intake_score')
            AND EXISTS (SELECT 1 FROM clinic_change e WHERE e.transaction = c.transaction AND e."table" = 'clinic_episode'
                AND e.after ->> 'stage' = 'assessed'))""",
    "a completed questionnaire without an assessment": """
        SELECT r.id FROM intake_response r WHERE r.status = 'completed'
            AND NOT EXISTS (SELECT 1 FROM intake_assessment a WHERE a.episode_id = r.episode_id)""",
    "a signed plan without its signature, its frozen plan, its stage or its record": """
        SELECT s.id FROM plans_signedplan s JOIN plans_plan p ON p.id = s.plan_id JOIN clinic_episode e ON e.id = s.episode_id
            WHERE p.status <> 'signed' OR e.stage NOT IN ('treatment', 'awaiting')
            OR 1 <> (SELECT count(*) FROM plans_signature g WHERE g.signed_plan_id = s.id)
            OR 3 <> (SELECT count(DISTINCT o."table") FROM clinic_change c JOIN clinic_change o ON o.transaction = c.transaction
                WHERE c."table" = 'plans_signedplan' AND c."row" = s.id
                AND o."table" IN ('plans_signature', 'plans_plan', 'clinic_episode'))""",
    "a plan marked as signed without a signed version": """
        SELECT p.id FROM plans_plan p WHERE p.status = 'signed' AND NOT EXISTS (SELECT 1 FROM plans_signedplan s WHERE s.plan_id = p.id)""",
}
DOUBLED = {
    "patients of one form": "SELECT legal_last_name, legal_first_name FROM clinic_patient GROUP BY 1, 2 HAVING count(*) > 1",
    "episodes of one patient": "SELECT patient_id FROM clinic_episode GROUP BY 1 HAVING count(*) > 1",
    "assessments of one submit": "SELECT episode_id FROM intake_assessment GROUP BY 1 HAVING count(*) > 1",
    "scores of one assessment": "SELECT assessment_id, code FROM intake_score GROUP BY 1, 2 HAVING count(*) > 1",
    "standing flags of one rule": """SELECT episode_id, rule_id FROM intake_flag WHERE status <> 'resolved'
        GROUP BY 1, 2 HAVING count(*) > 1""",
    "answers to one question": "SELECT response_id, link_id, instance FROM intake_answer GROUP BY 1, 2, 3 HAVING count(*) > 1",
    "plans of one episode": "SELECT episode_id FROM plans_plan GROUP BY 1 HAVING count(*) > 1",
    "problems of one plan": "SELECT plan_id FROM plans_problem GROUP BY 1 HAVING count(*) > 1",
    "goals, objectives of one plan": """SELECT plan_id FROM (SELECT plan_id, 'g' FROM plans_goal UNION ALL SELECT plan_id, 'o'
        FROM plans_objective) AS parts (plan_id, kind) GROUP BY plan_id, kind HAVING count(*) > 1""",
    "interventions of one plan": "SELECT plan_id, text FROM plans_intervention GROUP BY 1, 2 HAVING count(*) > 1",
    "signed versions of one episode": "SELECT episode_id FROM plans_signedplan GROUP BY 1 HAVING count(*) > 1",
}


def findings(house: House, journal: Journal) -> dict[str, list[str]]:
    """What was lost, half done and doubled, each as a sentence; and what the check of signatures said if it was not content."""
    verified = house.manage("verify_signatures")
    return {
        "lost": [*_lost(house, journal), *_unseen(house, journal)],
        "half": [f"{words}: {row}" for words, sql in HALF.items() for row in house.query(sql)],
        "doubled": [f"{words}: {row}" for words, sql in DOUBLED.items() for row in house.query(sql)],
        "signatures": [] if verified.returncode == 0 else [verified.stdout[-500:] + verified.stderr[-500:]],
    }


def _lost(house: House, journal: Journal) -> list[str]:
    """Every line of the journal that the tables do not bear out."""
    there = {what: {tuple(map(str, row)) for row in house.query(sql)} for what, sql in THERE.items()}
    lost = [str(line) for what, names in NAMED_BY.items() for line in journal.of(what) if _named(line, names) not in there[what]]
    answers = {(episode, item): value for episode, item, value in house.query(ANSWERS)}
    last = {(line["episode"], line["item"]): line["value"] for line in journal.of("answer")}
    other = {place: value for place, value in last.items() if answers.get(place) != value}
    return lost + [f"answer {place}: {value}, and there is {answers.get(place)}" for place, value in other.items()]


# How a journal's line of each kind is found in the tables.
NAMED_BY = {
    "register": ("key", "location"), "submit": ("episode", "key"), "acknowledge": ("flag", "by"), "plan": ("episode",),
    "decide": ("component",), "part": ("location",), "details": ("episode",), "sign": ("episode", "key"),
}  # fmt: skip
PARTS = " UNION ALL ".join(
    f"""SELECT '/episodes/' || e.public_id || '/plan/#part-' || t.public_id FROM plans_{kind} t JOIN plans_plan p ON p.id = t.plan_id
        JOIN clinic_episode e ON e.id = p.episode_id"""
    for kind in ("problem", "goal", "objective", "intervention")
)
THERE = {
    "register": """SELECT p.registration_key, '/episodes/' || e.public_id || '/chart/' FROM clinic_patient p
        JOIN clinic_episode e ON e.patient_id = p.id""",
    "submit": "SELECT e.public_id, a.key FROM intake_assessment a JOIN clinic_episode e ON e.id = a.episode_id",
    "acknowledge": "SELECT f.public_id, u.username FROM intake_flag f JOIN clinic_user u ON u.id = f.acknowledged_by_id",
    "plan": "SELECT e.public_id FROM plans_plan p JOIN clinic_episode e ON e.id = p.episode_id",
    "decide": "SELECT public_id FROM plans_component WHERE decision = 'accepted' AND note = 'Weekly'",
    "part": PARTS,
    "details": """SELECT e.public_id FROM plans_plan p JOIN clinic_episode e ON e.id = p.episode_id
        WHERE p.discharge_criteria = 'Four weeks without'""",
    "sign": "SELECT e.public_id, s.key FROM plans_signedplan s JOIN clinic_episode e ON e.id = s.episode_id",
}
ANSWERS = """SELECT e.public_id::text, a.link_id, a.value -> 0 -> 'valueCoding' ->> 'code' FROM intake_answer a
    JOIN intake_response r ON r.id = a.response_id JOIN clinic_episode e ON e.id = r.episode_id"""


def _named(line: dict[str, Any], names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(re.sub(r"\?.*", "", str(line[name])) for name in names)


def _unseen(house: House, journal: Journal) -> list[str]:
    """Pages that were shown, and of which the record of accesses knows fewer."""
    rows = house.query("""SELECT u.username, a.view, e.public_id::text, count(*) FROM clinic_accessevent a
        JOIN clinic_user u ON u.id = a.user_id JOIN clinic_episode e ON e.patient_id = ANY (a.patients)
        WHERE a.outcome = 'allowed' GROUP BY 1, 2, 3""")
    recorded = {(user, view, episode): times for user, view, episode, times in rows}
    shown = Counter((line["by"], line["view"], line["episode"]) for line in journal.of("look"))
    fewer = {page: times for page, times in shown.items() if recorded.get(page, 0) < times}
    return [f"look {page}: shown {times} times, recorded {recorded.get(page, 0)}" for page, times in fewer.items()]
