"""Signing: what stops it, what it freezes, who certifies, and that nobody can alter it afterwards without being found."""

import datetime
import io
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import ProgrammingError, connection, transaction
from django.utils import timezone

from clinic import database, workflow
from clinic.models import Program, User
from clinic.transaction import acting
from intake.actions import assess_provisionally
from intake.models import Instrument
from plans import actions, document, signing
from plans.models import Deferral, Goal, Intervention, Objective, Plan, Problem, Signature, SignedPlan
from tests import databases
from tests.intake.test_actions import acknowledge, fill, together
from tests.people import House, make_house
from tests.plans.test_actions import GOAL, WORDS, add, ask_patient_again, begin, decide, details, draft, gaps, sign, whole

TOMORROW = timezone.localdate() + datetime.timedelta(days=1)


@pytest.fixture
def house(db: None) -> House:
    return make_house()


def with_certifier(house: House, role: str) -> House:
    Program.objects.filter(pk=house.program.pk).update(certifying_role=role)
    return house


def certify(by: User, signed: SignedPlan) -> Signature:
    with acting(by, "plan.finalise"):
        return signing.certify(by=by, signed=SignedPlan.objects.get(pk=signed.pk))


# What stops a signature, and what only takes a reason

Break = Callable[[Plan, User], Any]
STOPPING: list[tuple[str, str, Break]] = [
    ("PV-2", "no problem", lambda plan, by: remove(by, Problem, plan)),
    ("PV-2", "a problem without a goal", lambda plan, by: remove(by, Goal, plan)),
    ("PV-2", "no words of the patient's own", lambda plan, by: change(by, Goal, plan, patient_words=" ")),
    ("PV-2", "no baseline", lambda plan, by: change(by, Goal, plan, baseline=None)),
    ("PV-2", "no target", lambda plan, by: change(by, Goal, plan, target=None)),
    ("PV-2", "no target date", lambda plan, by: change(by, Goal, plan, target_date=None)),
    ("PV-2", "the library's own wording", lambda plan, by: change(by, Goal, plan, template_text=GOAL["text"].upper() + ".")),
    ("PV-2", "a blank of the library left open", lambda plan, by: change(by, Goal, plan, text="From {x} g/day to 0")),
    ("PV-3", "a goal without an objective", lambda plan, by: remove(by, Objective, plan)),
    ("PV-3", "an objective without an intervention", lambda plan, by: remove(by, Intervention, plan)),
    ("PV-3", "no discipline", lambda plan, by: change(by, Intervention, plan, discipline="")),
    ("PV-3", "no frequency", lambda plan, by: change(by, Intervention, plan, frequency="")),
    ("PV-3", "no duration", lambda plan, by: change(by, Intervention, plan, duration="")),
    ("PV-5", "no discharge criteria", lambda plan, by: details(by, plan, discharge_criteria="")),
    ("PV-7", "the patient not asked", lambda plan, by: details(by, plan, patient_signature="")),
    ("PV-7", "declined without saying why", lambda plan, by: details(by, plan, patient_signature="declined")),
]
CLINICAL: list[tuple[str, str, Break]] = [
    ("PV-1", "naloxone declined", lambda plan, by: decide(by, plan, "DTX-05", "declined", reason="Has it at home")),
    ("PV-1", "liver tests not now", lambda plan, by: decide(by, plan, "MED-05", "not now")),
    ("PV-4", "one discipline only", lambda plan, by: change(by, Intervention, plan, discipline="nurse")),
    ("PV-6", "no review date", lambda plan, by: details(by, plan, review_on=None)),
    ("PV-6", "a review after the program's limit", lambda plan, by: details(by, plan, review_on=TOMORROW + datetime.timedelta(days=90))),
    ("PV-6", "a review in the past", lambda plan, by: details(by, plan, review_on=TOMORROW - datetime.timedelta(days=2))),
]


def change(by: User, model: Any, plan: Plan, **values: Any) -> None:
    for part in model.objects.filter(plan=plan):
        actions.edit_part(by=by, part=part, values=values, version=part.version)


def remove(by: User, model: Any, plan: Plan) -> None:
    for part in model.objects.filter(plan=plan):
        actions.remove_part(by=by, part=part, version=part.version)


@contextmanager
def undone() -> Iterator[None]:
    """A what-if: whatever is written inside is taken back."""
    point = transaction.savepoint()
    yield
    transaction.savepoint_rollback(point)


def test_a_whole_plan_has_no_gap(house: House) -> None:
    assert gaps(whole(house)) == []


def test_a_plan_just_begun_is_not_ready_and_says_in_what(house: House) -> None:
    with pytest.raises(signing.NotReady) as caught:
        sign(house.staff["prescriber"], draft(house))
    assert {gap.rule for gap in caught.value.gaps} == {"PV-2", "PV-5", "PV-7"}


def test_every_missing_piece_of_documentation_stops_the_signature_by_name(house: House) -> None:
    plan, by = whole(house), house.staff["prescriber"]
    for rule, what, spoil in STOPPING:
        with undone():
            spoil(plan, by)
            with pytest.raises(signing.NotReady) as caught:
                sign(by, plan)
            assert {gap.rule for gap in caught.value.gaps} == {rule}, what
            assert not SignedPlan.objects.exists() and not Signature.objects.exists()


def test_a_clinical_finding_takes_a_reason_and_never_stops_the_signature(house: House) -> None:
    plan, by = whole(house), house.staff["prescriber"]
    for rule, what, spoil in CLINICAL:
        with undone():
            spoil(plan, by)
            ask_patient_again(by, plan)
            found = gaps(plan)
            assert {(gap.rule, gap.stops) for gap in found} == {(rule, False)}, what
            with undone():
                assert sign(by, plan).number == 1, "without a reason it is signed all the same"
            for gap in found:
                actions.give_reason(by=by, plan=plan, rule=gap.rule, subject=gap.subject, reason="Taken up at the first review")
            assert gaps(plan) == [], what


def test_the_reason_for_a_finding_is_signed_with_the_plan(house: House) -> None:
    plan, by = whole(house), house.staff["prescriber"]
    decide(by, plan, "DTX-05", "declined", reason="Has it at home")
    actions.give_reason(by=by, plan=plan, rule="PV-1", subject="SF-06", reason="Naloxone seen on the table")
    (reason,) = document.load(sign(by, plan).document.encode())["deferrals"]
    assert (reason["rule"], reason["subject"], reason["reason"]) == ("PV-1", "SF-06", "Naloxone seen on the table")


def test_an_empty_reason_is_no_reason(house: House) -> None:
    plan, by = whole(house), house.staff["prescriber"]
    details(by, plan, review_on=None)
    Deferral.objects.create(
        plan=plan, rule="PV-6", reason=" ", by=by, at=timezone.now(), program_id=plan.program_id, patient_id=plan.patient_id
    )
    assert [gap.rule for gap in gaps(plan)] == ["PV-6"]


# Once, and what was read


def test_the_same_key_is_one_version(house: House) -> None:
    plan, by, key = whole(house), house.staff["prescriber"], uuid.uuid4()
    first, second = (sign(by, plan, key, "0" * 64 if again else "") for again in (False, True))
    assert (first, SignedPlan.objects.count(), Signature.objects.count()) == (second, 1, 1)


def test_ten_clicks_at_once_are_one_version_and_another_signers_key_is_told(real_transactions: None) -> None:
    house = make_house()
    plan = whole(house)
    seen, key, by = signing.fingerprint(plan), uuid.uuid4(), house.staff["prescriber"]
    clicks: list[Callable[[], Any]] = [lambda: sign(by, plan, key, seen).pk] * 10
    results = together(*clicks, lambda: sign(house.staff["counsellor"], plan, uuid.uuid4(), seen).pk)
    signed = SignedPlan.objects.get()
    told = [result for result in results if isinstance(result, signing.ChangedSince)]
    assert len(told) in (1, 10) and all(result == signed.pk for result in results if result not in told)
    assert Signature.objects.get().user == (by if len(told) == 1 else house.staff["counsellor"])


MEANWHILE: dict[str, Break] = {
    "a goal was changed": lambda plan, by: change(by, Goal, plan, target=4),
    "a component was decided": lambda plan, by: decide(by, plan, "CMP-02", "not now"),
    "a problem was added with everything under it": lambda plan, by: another_problem(plan, by),
    "a flag was acknowledged": lambda plan, by: acknowledge(by, plan.episode, "SF-06"),
    "the review was moved": lambda plan, by: details(by, plan, review_on=TOMORROW),
}


def another_problem(plan: Plan, by: User) -> None:
    problem = add(by, plan, "problem", title="Sleep", source="own words")
    objective = add(by, plan, "objective", add(by, plan, "goal", problem, **GOAL), text="A regular hour")
    add(by, plan, "intervention", objective, text="Sleep diary", discipline="nurse", frequency="daily", duration="4 weeks")


def test_what_was_changed_since_it_was_read_is_not_signed(house: House) -> None:
    plan, by = whole(house), house.staff["prescriber"]
    seen = signing.fingerprint(plan)
    for what, meddle in MEANWHILE.items():
        with undone():
            meddle(plan, house.staff["nurse"])
            with pytest.raises(signing.ChangedSince, match="Read it again"):
                sign(by, plan, seen=seen)
            assert not SignedPlan.objects.exists(), what
    assert sign(by, plan, seen=seen).sha256 == seen


# What is frozen


def test_the_document_carries_words_versions_and_hashes_and_not_only_ids(house: House) -> None:
    plan, by = whole(house), house.staff["prescriber"]
    acknowledge(by, house.mine, "SF-06")
    signed = sign(by, plan)
    frozen = document.load(signed.document.encode())
    assert document.verify(signed.document.encode(), signed.sha256)
    assert frozen["patient"]["name"] == "Ana Minecanary" and frozen["patient"]["record_number"] == house.mine.patient.record_number
    asked = {row["code"]: row for row in frozen["questionnaires"]}
    phq9 = Instrument.objects.get(code="phq9", active=True)
    assert (asked["phq9"]["version"], asked["phq9"]["sha256"]) == (phq9.version, phq9.sha256)
    assert {"link_id": "2", "text": "Feeling down, depressed, or hopeless", "state": "given", "answer": "Several days"} in [
        dict(row) for row in asked["phq9"]["answers"]
    ]
    goal = frozen["problems"][0]["goals"][0]
    assert (goal["text"], goal["patient_words"]) == (GOAL["text"], WORDS)
    flag = next(row for row in frozen["flags"] if row["rule"] == "SF-06")
    assert (flag["severity"], flag["acknowledged_by"], flag["action_taken"]) == ("HIGH", str(by), "Talked it through.")
    assert (frozen["level"]["level"], frozen["level"]["rule"], frozen["provisional"]) == ("1.5", "L11", False)
    decided = {row["component_id"]: row["decision"] for row in frozen["suggestions"]}
    assert decided["DTX-05"] == "accepted" and decided["CBT-01"] == "open"


def test_the_signature_says_who_in_which_capacity_and_when(house: House) -> None:
    by = house.staff["prescriber"]
    signed = sign(by, whole(house))
    row = Signature.objects.get(signed_plan=signed)
    assert (row.user, row.name, row.credential, row.discipline, row.meaning) == (by, str(by), "X", by.discipline, "author")
    assert (row.at, signed.number, signed.supersedes) == (signed.signed_at, 1, None)
    house.mine.refresh_from_db()
    assert (house.mine.stage, house.mine.next_due_what) == (workflow.TREATMENT, "Review the plan")


def test_a_plan_from_an_unfinished_intake_says_so_in_what_is_signed(house: House) -> None:
    by = house.staff["prescriber"]
    fill(by, house.mine, "V5", "kuh", "sud11", "phq9")
    with acting(by, "plan.edit"):
        assessment = assess_provisionally(by=by, episode=house.mine, key=uuid.uuid4())
    plan = whole(house, plan=begin(by, house, assessment))
    assert plan.provisional
    assert document.load(sign(by, plan).document.encode())["provisional"] is True


# Certified


def test_a_plan_awaits_the_certifying_role_and_is_in_force_when_it_has_signed(house: House) -> None:
    signed = sign(house.staff["counsellor"], whole(with_certifier(house, "prescriber")))
    house.mine.refresh_from_db()
    assert (house.mine.stage, house.mine.next_due_what) == (workflow.AWAITING, "A prescriber signs the plan")
    assert signing.certifier_awaited(signed) == "A prescriber"
    first, second = (certify(house.staff["prescriber"], signed) for _ in range(2))
    assert (first, first.meaning, signing.certifier_awaited(signed)) == (second, "certifier", "")
    house.mine.refresh_from_db()
    assert (house.mine.stage, house.mine.next_due_what) == (workflow.TREATMENT, "Review the plan")


def test_who_may_not_certify_is_told_why(house: House) -> None:
    signed = sign(house.staff["prescriber"], whole(with_certifier(house, "prescriber")))
    for name, why in (("supervisor", "asks for the signature of a prescriber"), ("prescriber", "somebody else certifies it")):
        with pytest.raises(signing.NotTheCertifier, match=why):
            certify(house.staff[name], signed)
    stranger = User.objects.get(username="stranger")  # a prescriber, of another program
    with pytest.raises(signing.NotTheCertifier, match="asks for the signature"):
        certify(stranger, signed)
    assert Signature.objects.count() == 1


def test_a_version_that_was_replaced_is_not_certified_any_more(house: House) -> None:
    counsellor = house.staff["counsellor"]
    first = sign(counsellor, whole(with_certifier(house, "prescriber")))
    following = begin(counsellor, house, first.plan.assessment)
    details(counsellor, following)
    second = sign(counsellor, following)
    with pytest.raises(signing.NotTheCertifier, match="replaced by version 2"):
        certify(house.staff["prescriber"], first)
    house.mine.refresh_from_db()
    assert (house.mine.stage, signing.certifier_awaited(second)) == (workflow.AWAITING, "A prescriber")


def test_who_must_certify_is_what_the_program_asked_for_when_it_was_signed(house: House) -> None:
    signed = sign(house.staff["counsellor"], whole(with_certifier(house, "prescriber")))
    with acting(house.staff["supervisor"], "setup"):
        Program.objects.filter(pk=house.program.pk).update(certifying_role="")
    assert signing.certifier_awaited(SignedPlan.objects.get(pk=signed.pk)) == "A prescriber"
    certify(house.staff["prescriber"], SignedPlan.objects.get(pk=signed.pk))
    assert signing.certifier_awaited(SignedPlan.objects.get(pk=signed.pk)) == ""


def test_a_version_that_asks_for_no_certifier_takes_none(house: House) -> None:
    signed = sign(house.staff["counsellor"], whole(house))
    with pytest.raises(signing.NotTheCertifier, match="needs no second signature"):
        certify(house.staff["prescriber"], signed)


# Nobody alters it


FROZEN = ("plans_signedplan", "plans_signature", "intake_assessment", "intake_score")
ATTACKS = ("UPDATE {} SET patient_id = patient_id", "DELETE FROM {}", "TRUNCATE {} CASCADE", "ALTER TABLE {} DISABLE TRIGGER ALL")


def test_the_web_role_can_neither_change_nor_remove_what_was_signed(house: House) -> None:
    sign(house.staff["prescriber"], whole(house))
    for statement in [attack.format(table) for table in FROZEN for attack in ATTACKS]:
        with pytest.raises(ProgrammingError) as caught, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
        assert isinstance(caught.value.__cause__, psycopg.errors.InsufficientPrivilege), statement
    with pytest.raises(TypeError, match="never changed or removed"):
        SignedPlan.objects.get().save()


TAMPERING = [  # done by the owner of the tables: what the check must say
    ("one bit of the document", "UPDATE plans_signedplan SET document = overlay(document placing '7' from 40)", "not what was signed"),
    (
        "the document and its hash",
        "UPDATE plans_signedplan SET document = d, sha256 = encode(sha256(d::bytea), 'hex')"
        " FROM (SELECT replace(document, 'Weigh every dose', 'Weigh some doses') AS d FROM plans_signedplan) AS forged",
        "Prescriber Tester does not belong",
    ),
    ("the hash", "UPDATE plans_signedplan SET sha256 = repeat('0', 64)", "not what was signed"),
    ("the name of the signer", "UPDATE plans_signature SET name = 'Somebody Else'", "Somebody Else does not belong"),
    ("the credential", "UPDATE plans_signature SET credential = 'MD'", "Prescriber Tester does not belong"),
    ("the time", "UPDATE plans_signature SET at = at + interval '1 day'", "Prescriber Tester does not belong"),
    ("the capacity", "UPDATE plans_signature SET meaning = 'certifier'", "its author's signature is missing"),
    ("the signature taken away", "DELETE FROM plans_signature", "its author's signature is missing"),
]


def test_the_check_names_every_alteration_that_the_owner_makes(real_transactions: None) -> None:
    house = make_house()
    signed = sign(house.staff["prescriber"], whole(house))
    assert verified() == (0, "1 signed plans checked, 0 problems.\n", "")
    with psycopg.connect(databases.address(databases.NAME, database.OWNER), autocommit=True) as owner:
        for what, statement, named in TAMPERING:
            kept = owner.execute("SELECT document, sha256 FROM plans_signedplan").fetchone()
            rows = owner.execute("SELECT * FROM plans_signature").fetchall()
            assert owner.execute(statement).rowcount == 1, what
            code, _, said = verified()
            assert code == 1 and str(signed.public_id) in said and named in said, what
            owner.execute("UPDATE plans_signedplan SET document = %s, sha256 = %s", kept)
            owner.execute("DELETE FROM plans_signature")
            for row in rows:
                owner.execute(f"INSERT INTO plans_signature VALUES ({', '.join(['%s'] * len(row))})", row)
            assert verified()[0] == 0, what


# Columns whose alteration changes nothing that was signed, each with the reason.
UNBOUND = {
    "plans_signedplan": {"id": "a row number"},
    "plans_signature": {"id": "a row number", "signed_plan_id": "the hash binds the version; taking it away is below"},
}
LAST = "(SELECT max(id) FROM plans_signedplan)"
OTHERS = {  # a row that exists and is another one, for each foreign key
    "plan_id": "SELECT id FROM plans_plan WHERE id <> {0} AND id NOT IN (SELECT plan_id FROM plans_signedplan) LIMIT 1",
    "episode_id": "SELECT id FROM clinic_episode WHERE id <> {0} LIMIT 1",
    "patient_id": "SELECT id FROM clinic_patient WHERE id <> {0} LIMIT 1",
    "program_id": "SELECT id FROM clinic_program WHERE id <> {0} LIMIT 1",
    "user_id": "SELECT id FROM clinic_user WHERE id <> {0} LIMIT 1",
    "supersedes_id": "SELECT id FROM plans_signedplan ORDER BY id DESC LIMIT 1",
}  # fmt: skip


def altered(field: Any, value: Any) -> str:
    """SQL for another value that the column would take."""
    if field.column in OTHERS:
        return f"({OTHERS[field.column].format(value or 0)})"
    if field.column == "sha256":
        return "repeat('0', 64)"
    kinds = {
        "UUIDField": "gen_random_uuid()", "DateTimeField": f"{field.column} + interval '1 day'",
        "PositiveIntegerField": f"{field.column} + 7",
    }  # fmt: skip
    return kinds.get(field.get_internal_type()) or f"left('x' || {field.column}, {field.max_length or 10**7})"


def test_every_column_of_what_was_signed_is_bound(real_transactions: None) -> None:
    """A new column without protection fails here by name."""
    house = make_house()
    by = house.staff["counsellor"]
    first = sign(by, whole(with_certifier(house, "prescriber")))
    certify(house.staff["prescriber"], first)
    following = begin(by, house, first.plan.assessment)
    details(by, following)
    sign(by, following)
    with acting(by, "plan.edit"):
        Plan.objects.create(
            program=house.program, patient=house.mine.patient, episode=house.other, assessment=first.plan.assessment, number=1,
            provisional=False, suggestions=[], started_at=timezone.now(), started_by=by,
        )  # fmt: skip
    assert verified()[0] == 0
    unfound = []
    with psycopg.connect(databases.address(databases.NAME, database.OWNER), autocommit=True) as owner:
        for model in (SignedPlan, Signature):
            table = model._meta.db_table
            for field in model._meta.concrete_fields:
                if field.column in UNBOUND[table]:
                    continue
                (pk, was), *_ = owner.execute(f"SELECT id, {field.column} FROM {table} ORDER BY id").fetchall()
                owner.execute(f"UPDATE {table} SET {field.column} = {altered(field, was)} WHERE id = %s", [pk])
                assert owner.execute(f"SELECT {field.column} FROM {table} WHERE id = %s", [pk]).fetchone() != (was,), field.column
                if verified()[0] != 1:
                    unfound.append(f"{table}.{field.column}")
                owner.execute(f"UPDATE {table} SET {field.column} = %s WHERE id = %s", [was, pk])
        assert verified()[0] == 0
        for what, statement in (
            ("the certifier's signature of the first version", "DELETE FROM plans_signature WHERE meaning = 'certifier'"),
            ("the signatures of the second version", f"DELETE FROM plans_signature WHERE signed_plan_id = {LAST}"),
            ("the second version itself", f"DELETE FROM plans_signedplan WHERE id = {LAST}"),
        ):
            owner.execute(statement)
            if verified()[0] != 1:
                unfound.append(what)
    assert not unfound


def verified() -> tuple[int, str, str]:
    """What manage.py verify_signatures ends with and says."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    try:
        call_command("verify_signatures", stdout=out, stderr=err)
    except SystemExit as end:
        code = int(end.code or 0)
    return code, out.getvalue(), err.getvalue()


def test_the_check_of_many_versions_names_only_the_bad_one(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    by = house.staff["prescriber"]
    first = sign(by, whole(house))
    following = begin(by, house, first.plan.assessment)
    details(by, following)
    second = sign(by, following)
    truth = document.verify
    monkeypatch.setattr(document, "verify", lambda text, sha256: sha256 != second.sha256 and truth(text, sha256))
    code, out, said = verified()
    assert (code, out) == (1, "2 signed plans checked, 1 problems.\n")
    assert "version 2" in said and str(first.public_id) not in said
