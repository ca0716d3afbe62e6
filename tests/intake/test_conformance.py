"""Real questionnaires from elsewhere: each is taken or refused by name, and what is taken behaves as two other engines say.

The forms lie beside the checkout and are never part of it (some are copyrighted), so this runs where they are.
"""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from clinic.cleaning import Unclean, load_json
from intake.branching import evaluate
from intake.questionnaire import Questionnaire, UnsupportedQuestionnaire, load
from intake.responses import from_response

CORPUS = Path(os.environ.get("STEADY_CORPUS") or Path(__file__).resolve().parents[3] / "shared" / "corpus")
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"There is no corpus of questionnaires at {CORPUS}")
# What is taken and what agrees may only grow; none may differ.
TAKEN, AGREEING = 68, 201


@cache
def form(file: str) -> Questionnaire | str:
    """The compiled form, or why it is refused."""
    try:
        return load(load_json((CORPUS / file).read_bytes()))
    except (UnsupportedQuestionnaire, Unclean) as refusal:
        return str(refusal)


def forms() -> list[str]:
    lines = (CORPUS / "index.tsv").read_text(encoding="utf-8").splitlines()
    return [line.split("\t")[0] for line in lines[1:]]


def cases() -> Iterator[dict[str, Any]]:
    for line in (CORPUS / "expected.jsonl").read_text(encoding="utf-8").splitlines():
        case = load_json(line)
        if isinstance(form(case["file"]), Questionnaire):
            yield case


def test_every_form_is_taken_or_refused_by_name() -> None:
    refused = {file: found for file in forms() if isinstance(found := form(file), str)}
    named = ("item ", "items ", "form ", "This is no", "The JSON")
    unnamed = [file for file, why in refused.items() if not any(word in why for word in named)]
    assert not unnamed
    assert len(forms()) - len(refused) >= TAKEN


def test_what_is_taken_behaves_as_two_other_engines_say() -> None:
    """Hints (help, flyover) are left out by the others; they ask and decide nothing."""
    differ = []
    agreeing = 0
    for case in cases():
        questionnaire = form(case["file"])
        assert isinstance(questionnaire, Questionnaire)
        found = evaluate(questionnaire, from_response(questionnaire, case["response"]))
        hints = {item.link_id for item in questionnaire.by_id.values() if item.is_help}
        ours = (
            {key[0] for key in found.enabled} - hints,
            {key[0] for key in found.disabled} - {key[0] for key in found.enabled} - hints,
            {key[0] for key in found.missing_required},
        )
        theirs = (set(case["enabled"]) - hints, set(case["disabled"]) - set(case["enabled"]) - hints, set(case["missingRequired"]))
        if ours == theirs:
            agreeing += 1
        else:
            differ.append(f"{case['file']} {case['case']}: {[sorted(one ^ other) for one, other in zip(ours, theirs, strict=True)]}")
    assert not differ, "\n".join(differ)
    assert agreeing >= AGREEING
