"""The component library: every component fires where it should, not where it should not, and knows when it cannot tell."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from intake.content_files import ContentError
from plans import components
from plans.components import answered_by, answers, content_hash, load_components, read, unreviewed
from plans.reasons import because, words

CASES: dict[str, dict[str, list[dict[str, Any]]]] = yaml.safe_load((Path(__file__).parent / "cases" / "components.yaml").read_text())
TRUTH = {"fires": True, "quiet": False, "unknown": None}
QUIET = dict.fromkeys([f"sf_{n:02}" for n in range(1, 17)] + [f"ix_{n:02}" for n in range(1, 23)], False)
EACH = [(name, kind, facts) for name, kinds in CASES.items() for kind, rows in kinds.items() for facts in rows]


@pytest.mark.parametrize(("name", "kind", "facts"), EACH, ids=[f"{name}-{kind}-{n}" for n, (name, kind, _) in enumerate(EACH)])
def test_a_component_applies_where_it_should(name: str, kind: str, facts: dict[str, Any]) -> None:
    component = load_components()[name]
    assert component.applies_if.evaluate({**QUIET, **facts}).truth is TRUTH[kind]
    assert bool(because(component.applies_if, {**QUIET, **facts}, {})) is (kind == "fires")


def test_every_component_has_its_cases() -> None:
    assert list(CASES) == list(load_components())
    assert len(CASES) == 47


def test_every_fact_a_condition_names_can_be_said_and_asked() -> None:
    conditions = [c for part in load_components().values() for c in (part.applies_if, *(w.condition for w in part.contra_if))]
    named = {name for c in conditions for name in c.names if name[:3] not in ("sf_", "ix_")}
    assert named <= set(words())


def test_every_component_is_complete() -> None:
    for part in load_components().values():
        assert part.objective_list
        assert part.grade in "ABCD"
        assert part.review_days is not None or part.id == "SAF-04"


def test_until_somebody_has_checked_the_content_it_says_so() -> None:
    assert unreviewed() == components.FILES
    assert all(read(file)["author"] == "Steady project" for file in components.FILES)


def test_the_hash_of_the_content_is_stable() -> None:
    assert len(content_hash()) == 64
    content_hash.cache_clear()
    assert content_hash() == content_hash()


ANSWERS = [
    ("SF-01", {}, "SAF-01 + SAF-02 + SAF-03"),
    ("SF-02", {}, "SAF-01 + SAF-03"),
    ("SF-03", {}, "SAF-01 + SAF-03"),
    ("SF-04", {}, "SAF-01 + SAF-03"),
    ("SF-05", {}, "SAF-04"),
    ("SF-06", {}, "DTX-05"),
    ("SF-07", {}, "OB-01"),
    ("SF-08", {}, "DTX-07"),
    ("SF-09", {}, "SZ-01"),
    ("SF-10", {}, "MED-05"),
    ("SF-11", {}, "MED-06"),
    ("SF-12", {}, "SOC-01 or action"),
    ("SF-13", {}, "action"),
    ("SF-15", {}, "action"),
    ("SF-16", {}, "DTX-06 or MED-07"),
    ("IX-01", {}, "DTX-04 or DTX-05"),
    ("IX-02", {"sedative_daily": True}, "DTX-05 + DTX-06"),
    ("IX-02", {"sedative_daily": False}, "DTX-05"),
    ("IX-03", {"sedative_daily": True}, "DTX-05 + DTX-06"),
    ("IX-03", {"sedative_daily": None}, "DTX-05"),
    ("IX-05", {}, "MED-04"),
    ("IX-12", {}, "MED-05"),
    ("IX-13", {}, "MED-06"),
    ("IX-14", {}, "DTX-07"),
    ("IX-15", {}, "MED-04"),
    ("IX-16", {}, "SZ-01"),
    ("IX-17", {"pregnant": True, "pregnancy_possible": False}, "OB-01"),
    ("IX-17", {"pregnant": None, "pregnancy_possible": True}, "action"),
    ("IX-21", {}, "DTX-04 or DTX-05"),
    ("IX-22", {}, "MED-04"),
]


@pytest.mark.parametrize(("rule", "facts", "expected"), ANSWERS, ids=[f"{rule}-{n}" for n, (rule, *_) in enumerate(ANSWERS)])
def test_what_answers_a_flag(rule: str, facts: dict[str, Any], expected: str) -> None:
    answer = answered_by(rule, facts)
    assert answer is not None
    assert " + ".join(" or ".join(sorted(group)) for group in answer.groups) == expected


def test_an_incomplete_intake_asks_for_no_component() -> None:
    assert answered_by("SF-14", {}) is None


def edited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: str, old: str, new: str) -> None:
    for name in components.FILES:
        text = (components.CONTENT / name).read_text()
        assert name != file or old in text
        (tmp_path / name).write_text(text.replace(old, new, 1) if name == file else text)
    monkeypatch.setattr(components, "CONTENT", tmp_path)


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("components.yaml", "'slp_insomnia'", "'sleepy'", "CBT-05"),
        ("components.yaml", "'slp_insomnia'", "'slp_insomnia('", "CBT-05"),
        ("components.yaml", "id: CBT-06", "id: CBT-05", "twice"),
        ("components.yaml", "checker: null\n", "", "checker"),
        ("components.yaml", "grade: B", "grade: 2", "SAF-01: grade must be text"),
        ("answers.yaml", "[[SAF-04]]", "[[SAF-40]]", "SAF-40"),
    ],
)
def test_content_that_cannot_be_right_is_refused_when_it_is_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: str, old: str, new: str, says: str
) -> None:
    edited(monkeypatch, tmp_path, file, old, new)
    load = answers.__wrapped__ if file == "answers.yaml" else load_components.__wrapped__
    with pytest.raises(ContentError, match=says):
        load()
