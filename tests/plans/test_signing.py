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
from django.db import ProgrammingError, connection, models, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from psycopg.types.json import Jsonb

from clinic import database, workflow
from clinic.models import Program, User
from clinic.transaction import acting
from intake.actions import assess_provisionally
from intake.models import Instrument
from plans import actions, document, signing
from plans.models import Deferral, Goal, Intervention, Objective, Plan, Problem, Signature, SignedPlan
from tests import databases
from tests.intake.test_actions import acknowledge, fill, together
from tests.people import House, everything, make_house
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
    with transaction.atomic():  # whoever acted last goes on acting until it ends
        plan = whole(house)
        seen, key, by = signing.fingerprint(plan), uuid.uuid4(), house.staff["prescriber"]
    clicks: list[Callable[[], Any]] = [lambda: sign(by, plan, key, seen).pk] * 10
    results = together(*clicks, lambda: sign(house.staff["counsellor"], plan, uuid.uuid4(), seen).pk)
    with everything():
        signed, signature = SignedPlan.objects.get(), Signature.objects.select_related("user").get()
    told = [result for result in results if isinstance(result, signing.ChangedSince)]
    assert len(told) in (1, 10) and all(result == signed.pk for result in results if result not in told)
    assert signature.user == (by if len(told) == 1 else house.staff["counsellor"])


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
    assert (frozen["level"]["level"], frozen["level"]["rule"], frozen["provisional"]) == ("1.7", "L10", False)
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
    with everything(), pytest.raises(signing.NotTheCertifier, match="asks for the signature"):  # the action by itself
        certify(stranger, signed)
    assert Signature.objects.count() == 1


def test_a_version_that_was_replaced_is_not_certified_any_more(house: House) -> None:
    counsellor = house.staff["counsellor"]
    first = sign(counsellor, whole(with_certifier(house, "prescriber")))
    second = next_version(counsellor, house, first)
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


def next_version(by: User, house: House, first: SignedPlan) -> SignedPlan:
    following = begin(by, house, first.plan.assessment)
    details(by, following)
    return sign(by, following)


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


FORGED = (
    "UPDATE plans_signedplan SET document = d, sha256 = encode(sha256(d::bytea), 'hex')"
    " FROM (SELECT replace(document, 'Weigh every dose', 'Weigh some doses') AS d FROM plans_signedplan WHERE number = 2) AS forged"
    " WHERE number = 2"
)
FLIPPED = "UPDATE plans_signedplan SET document = overlay(document placing '7' from 40) WHERE number = 1"
LOST = "DELETE FROM plans_signature WHERE signed_plan_id = (SELECT id FROM plans_signedplan WHERE number = {})"
GONE = "DELETE FROM plans_signedplan WHERE number = {}"
CUT_OFF = "UPDATE plans_signedplan SET supersedes_id = NULL"
CERTIFIED = f"{LOST.format(2)} AND meaning = 'certifier'"
TAMPERING = [  # done by the owner of the tables: what the check must say
    ("one bit of the document", [FLIPPED], "version 1: the document is not what was signed"),
    ("the document and its hash", [FORGED], "the signature of Counsellor Tester does not belong"),
    ("the author's signature", [LOST.format(1)], "version 1: its author's signature is missing"),
    ("the certifier's signature", [CERTIFIED], "the certifying signature it asks for (prescriber) is missing"),
    ("the newest version", [LOST.format(2), GONE.format(2)], "version 2: it counts as signed, and its signed plan is missing"),
    ("the first version", [CUT_OFF, LOST.format(1), GONE.format(1)], "version 1: the signed plan is missing"),
    ("the draft's state", ["UPDATE plans_plan SET status = 'superseded' WHERE number = 2"], "its plan's status is not that of its version"),
]
UNPROTECTED = {"id"}  # the row's own number: nothing that is read or printed rests on it, and what points at it is checked


@pytest.fixture
def signed_twice(real_transactions: None) -> SignedPlan:
    """Two versions, the first never certified, the second certified; and a person, a program and a plan besides."""
    house = with_certifier(make_house(), "prescriber")
    with transaction.atomic():  # whoever acted last goes on acting until it ends
        first = sign(house.staff["counsellor"], whole(house))
        second = next_version(house.staff["counsellor"], house, first)
        certify(house.staff["prescriber"], second)
    with acting(house.staff["supervisor"], "plan.edit"):
        Plan.objects.create(
            program=house.program, patient=house.other.patient, episode=house.other, assessment=first.plan.assessment, number=1,
            provisional=False, suggestions=[], started_at=timezone.now(), started_by=house.staff["nurse"],
        )  # fmt: skip
    return second


@contextmanager
def as_owner(statements: list[str], values: dict[str, Any] | None = None) -> Iterator[None]:
    """What the owner of the tables does behind everybody's back, put back afterwards."""
    tables = ("plans_plan", "plans_signedplan", "plans_signature")
    with psycopg.connect(databases.address(databases.NAME, database.OWNER), autocommit=True) as owner:
        kept = {table: owner.execute(f"SELECT * FROM {table} ORDER BY id").fetchall() for table in tables}
        names = {table: [column.name for column in owner.execute(f"SELECT * FROM {table}").description or ()] for table in tables}
        assert [owner.execute(statement, values).rowcount > 0 for statement in statements] == [True] * len(statements), statements
        yield
        for table in tables:
            columns, marks = ", ".join(names[table]), ", ".join(["%s"] * len(names[table]))
            sets = ", ".join(f"{name} = EXCLUDED.{name}" for name in names[table])
            for row in kept[table]:
                given = [Jsonb(value) if isinstance(value, list | dict) else value for value in row]
                owner.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks}) ON CONFLICT (id) DO UPDATE SET {sets}", given)


@pytest.mark.thorough
def test_the_check_names_what_the_owner_alters_or_takes_away(signed_twice: SignedPlan) -> None:
    assert verified() == (0, "2 signed plans checked, 0 problems.\n", "")
    for what, statements, named in TAMPERING:
        with as_owner(statements):
            code, _, said = verified()
        assert code == 1 and named in said, (what, said)
        assert verified()[0] == 0, what


def another(row: Any, column: Any) -> Any:
    """Some other value that the column can hold."""
    value = getattr(row, column.attname)
    match column:
        case models.OneToOneField() | models.ForeignKey():
            others = column.related_model._default_manager.exclude(pk=value)
            return (others.filter(signed=None) if isinstance(column, models.OneToOneField) else others).values_list("pk", flat=True).first()
        case models.DateTimeField():
            return value + datetime.timedelta(seconds=1)
        case models.UUIDField():
            return uuid.uuid4()
        case models.IntegerField():
            return value + 5
    return "x"


@pytest.mark.thorough
def test_every_column_of_what_was_signed_is_watched(signed_twice: SignedPlan) -> None:
    """A new column without protection fails here by name."""
    with everything():
        certified = Signature.objects.get(signed_plan=signed_twice, meaning="certifier")
    for row in (signed_twice, certified):
        for column in row._meta.concrete_fields:
            if column.name in UNPROTECTED:
                continue
            where = f"{row._meta.db_table}.{column.attname}"
            with everything():
                value = another(row, column)
            update = f"UPDATE {row._meta.db_table} SET {column.attname} = %(value)s WHERE id = %(id)s"
            with as_owner([update], {"value": value, "id": row.pk}):
                code, _, said = verified()
            assert code == 1 and said, f"{where} can be altered unseen"
            assert verified() == (0, "2 signed plans checked, 0 problems.\n", ""), where


def test_a_document_of_the_first_schema_is_still_verified(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    by, build = house.staff["prescriber"], document.build
    monkeypatch.setattr(document, "build", lambda data: build(as_first(data)))
    first = sign(by, whole(house))
    monkeypatch.undo()
    assert document.load(first.document.encode())["schema"] == document.FIRST
    assert verified()[0] == 0
    with_certifier(house, "supervisor")
    assert signing.certifier_awaited(SignedPlan.objects.get()) == "A supervisor", "it did not say, the program does"
    next_version(by, with_certifier(house, ""), first)
    assert verified() == (0, "2 signed plans checked, 0 problems.\n", "")
    monkeypatch.setattr(document, "signature_hash", lambda schema, bound: "0" * 64)
    assert verified()[0] == 1


def as_first(data: Any) -> dict[str, Any]:
    return {name: data[name] for name in document.SCHEMAS[document.FIRST]} | {"schema": document.FIRST}


@pytest.mark.thorough
def test_checking_costs_the_same_queries_however_many_were_signed(
    house: House, django_assert_num_queries: Callable[[int], Any]
) -> None:
    by = house.staff["prescriber"]
    newest = next_version(by, house, sign(by, whole(house)))
    for _ in range(2):
        with django_assert_num_queries(7 + 3):  # three to become the owner and back
            assert verified()[0] == 0
        newest = next_version(by, house, newest)


def test_a_plan_that_is_too_long_is_refused_with_a_sentence(house: House) -> None:
    plan, by = whole(house), house.staff["prescriber"]
    seen = signing.fingerprint(plan)
    details(by, plan, discharge_criteria="long " * (document.LIMIT // 5))
    with pytest.raises(signing.TooLong, match="too much text to be signed"):
        sign(by, plan, seen=seen)
    assert not SignedPlan.objects.exists()


def test_signing_builds_the_document_once_and_reads_only_the_questionnaires_it_rests_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, by = whole(house), house.staff["prescriber"]
    seen, built, build = signing.fingerprint(plan), [], document.build
    monkeypatch.setattr(document, "build", lambda data: built.append(1) or build(data))
    with CaptureQueriesContext(connection) as queries:
        sign(by, plan, seen=seen)
    asked = [query["sql"] for query in queries if 'FROM "intake_instrument"' in query["sql"]]
    assert (len(built), len(asked)) == (1, 1)
    assert '"content"' not in asked[0] and "WHERE" in asked[0]


def verified() -> tuple[int, str, str]:
    """What manage.py verify_signatures, run as the owner, ends with and says."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    try:
        with everything():
            call_command("verify_signatures", stdout=out, stderr=err)
    except SystemExit as end:
        code = int(end.code or 0)
    return code, out.getvalue(), err.getvalue()


def test_the_check_of_many_versions_names_only_the_bad_one(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    by = house.staff["prescriber"]
    first = sign(by, whole(house))
    second = next_version(by, house, first)
    truth = document.verify
    monkeypatch.setattr(document, "verify", lambda text, sha256: sha256 != second.sha256 and truth(text, sha256))
    code, out, said = verified()
    assert (code, out) == (1, "2 signed plans checked, 1 problems.\n")
    assert "version 2" in said and str(first.public_id) not in said
