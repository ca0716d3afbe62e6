"""Hostile questionnaires, made by code: what is hostile about it, the file, a word of the refusal (None: harmless, it loads)."""

import json
from collections.abc import Iterator
from typing import Any

Case = tuple[str, str | bytes, str | None]
FHIR = "http://hl7.org/fhir/StructureDefinition/"
SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/"


def item(link_id: str = "x", kind: str = "string", **more: Any) -> dict[str, Any]:
    return {"linkId": link_id, "type": kind, "text": "Question"} | more


def form(*items: Any, **more: Any) -> str:
    return json.dumps({"resourceType": "Questionnaire", "url": "http://x/q", "version": "1", "name": "Q", "item": list(items)} | more)


def extension(name: str, base: str = FHIR, **value: Any) -> dict[str, Any]:
    return {"extension": [{"url": f"{base}{name}"} | value]}


def when(question: str, **more: Any) -> dict[str, Any]:
    return {"enableWhen": [{"question": question, "operator": "=", "answerString": "a"} | more]}


def chain(length: int, key: str = "item") -> dict[str, Any]:
    inner = item("last")
    for number in range(length):
        inner = item(f"g{number}", "group") | {key: [inner]}
    return inner


def cases() -> Iterator[Case]:
    yield from patterns()
    yield from circles()
    yield from bombs()
    yield from texts()
    yield from references()
    yield from limits()


PATTERNS = {  # a regular expression, and whether it is refused; what is not is matched in linear time
    "(a+)+$": None, "(a|a)*$": None, "(.*)*x": None, "^(([a-z])+.)+[A-Z]([a-z])+$": None, "(x+x+)+y": None,
    "a{1000}{1000}": "x", "(a{1,1000}){1,1000}": "x", "(?=a)b": "look-around", "(?<!a)b": "look-around", "(a)\\1": "back-reference",
    "(((((((((": "x", "[": "x", "*": "x", "\\p{Nonsense}": "x", "(?P<a>x)(?P<a>y)": None, "a" * 200_000: "pattern too large",
    "(" * 2000 + ")" * 2000: None,
    "(a?){2000}a{2000}": "x",
}  # fmt: skip


def patterns() -> Iterator[Case]:
    for text, word in PATTERNS.items():
        yield f"pattern {text[:30]}", form(item(**extension("regex", valueString=text))), word


def circles() -> Iterator[Case]:
    yield "a question that waits for itself", form(item("a", **when("a"))), "circle"
    yield "two that wait for each other", form(item("a", **when("b")), item("b", **when("a"))), "circle"
    ring = [item(f"q{number}", **when(f"q{(number + 1) % 1000}")) for number in range(1000)]
    yield "a circle of 1,000", form(*ring), "circle"
    yield "a group that waits for what is in it", form(item("g", "group", item=[item("a")], **when("a"))), "circle"
    line = [item("q0"), *(item(f"q{number}", **when(f"q{number - 1}")) for number in range(1, 1000))]
    yield "a line of 1,000", form(*line), None
    yield "one that waits for nobody", form(item("a", **when("nobody"))), "nobody"
    for name in ("calculatedExpression", "enableWhenExpression", "initialExpression"):
        expression = {"language": "text/fhirpath", "expression": "%resource.descendants().repeat($this | children()).count()"}
        asks = extension(f"sdc-questionnaire-{name}", SDC, valueExpression=expression)
        yield f"an expression ({name})", form(item("a", **asks)), name
    everybody = [{"question": f"q{number}", "operator": "exists", "answerBoolean": True} for number in range(300)]
    waiting = [item(f"w{number}", enableWhen=everybody, enableBehavior="any") for number in range(20)]
    dense = [item(f"q{number}") for number in range(300)] + waiting
    yield "6,000 conditions", form(*dense), "more than 20000"


def bombs() -> Iterator[Case]:
    yield "100,000 brackets", "[" * 100_000, "levels deep"
    yield "100,000 objects", '{"item":' * 100_000, "levels deep"
    yield "items 60 levels deep", form(chain(60)), "levels deep"
    yield "items 17 levels deep", form(chain(16)), "nested more than 16"
    yield "2,500 items", form(*(item(f"q{number}", "display", text="") for number in range(2500))), "more than 2000 items"
    options = [{"valueInteger": number} for number in range(30_000)]
    yield "30,000 answers to choose", form(item(kind="choice", answerOption=options)), "more than 20000"
    yield "6,000 answers to choose", form(item(kind="choice", answerOption=options[:6000])), None
    yield "the same answer 3,000 times", form(item(kind="choice", answerOption=[{"valueInteger": 1}] * 3000)), "x"
    yield "a text of 5 MB", form(item(text="x" * 5_000_000)), "4000000 are possible"
    yield "a number of 10,000 digits", form(item(maxLength=1)).replace('"maxLength": 1', f'"maxLength": {"9" * 10_000}'), "too large"
    decimal = form(item(kind="decimal", initial=[{"valueDecimal": 1}]))
    yield "1e99999999", decimal.replace('"valueDecimal": 1', '"valueDecimal": 1e99999999'), "too large"
    yield "a zip", b"PK\x03\x04" + b"\0" * 100, "not UTF-8|not JSON|cannot be stored"
    yield "UTF-16", form(item()).encode("utf-16"), "not UTF-8"
    yield "a byte order mark", "\ufeff" + form(item()), "not JSON"
    yield "nothing", "", "not JSON"
    yield "a list", "[]", "not a FHIR Questionnaire"
    yield "another resource", json.dumps({"resourceType": "Bundle", "entry": []}), "not a FHIR Questionnaire"
    codes: list[dict[str, Any]] = [{"code": "c"}]
    for level in range(50):
        codes = [{"code": f"n{level}", "abstract": True, "contains": codes}]
    sets = [{"resourceType": "ValueSet", "id": "v", "expansion": {"contains": codes}}]
    yield "a value set 50 levels deep", form(item(kind="choice", answerValueSet="#v"), contained=sets), "levels deep"


def texts() -> Iterator[Case]:
    yield "NUL in a text", form(item(text="a\0b")), "cannot be stored"
    yield "NUL in a key", form(item(**{"a\0": 1})), "cannot be stored"
    yield "half of a character", form(item(text="\ud800")), "half of a character"
    yield "a text turned around", form(item(text="10 \u202egm")), "cannot be stored"
    yield "two linkIds that look the same", form(item("e\u0301"), item("\u00e9")), "stands twice"
    yield "a linkId that stands twice", form(item("a"), item("a")), "item a: this linkId stands twice"
    yield "a linkId that is a number", form(item(1)), "linkId"  # type: ignore[arg-type]
    yield "no linkId", form({"type": "string"}), "no linkId"
    yield "a key that stands twice", '{"resourceType": "Questionnaire", "item": [], "item": []}', "stands twice"
    yield "NaN", form(item(maxLength=1)).replace('"maxLength": 1', '"maxLength": NaN'), "not a number"
    yield "an infinity", form(item(maxLength=1)).replace('"maxLength": 1', '"maxLength": -Infinity'), "not a number"
    yield "a script", form(item(text="<script>alert(1)</script>")), None  # a text like another, and drawn as one
    yield "a template", form(item(text="{{ settings.SECRET_KEY }}{% debug %}")), None


def references() -> Iterator[Case]:
    yield "a value set elsewhere", form(item(kind="choice", answerValueSet="http://192.0.2.1/v")), "not contained"
    yield "a value set in a file", form(item(kind="choice", answerValueSet="file:///etc/passwd")), "not contained"
    include = [{"valueSet": ["http://192.0.2.1/v"]}]
    sets = [{"resourceType": "ValueSet", "id": "v", "compose": {"include": include}}]
    yield "a value set that takes in another", form(item(kind="choice", answerValueSet="#v"), contained=sets), "does not list its codes"
    yield "rules elsewhere", form(item(), implicitRules="http://192.0.2.1/r"), "implicitRules"
    part = extension("sdc-questionnaire-subQuestionnaire", SDC, valueCanonical="http://192.0.2.1")
    yield "a part of another form", form(item(**part)), "item x"
    asked = {"language": "application/x-fhir-query", "expression": "Patient?"}
    query = extension("sdc-questionnaire-answerExpression", SDC, valueExpression=asked)
    yield "a query", form(item(kind="choice", **query)), "item x"
    yield "a program", form(item(**extension("cqf-library", valueCanonical="http://192.0.2.1/l"))), "item x"


def limits() -> Iterator[Case]:
    for value in (-1, 2**31, 2**40, 1.5, "7", True, None, [1]):
        yield f"maxLength {value!r}", form(item(maxLength=value)), "maxLength"
    for value in ("0000-01-01", "2026-02-30", "10000-01-01", "x", ""):
        yield f"minValue {value!r}", form(item(kind="date", **extension("minValue", valueDate=value))), "minValue"
    for kind in ("__class__", "Group", "reference", "attachment", "question", ""):
        yield f"type {kind!r}", form(item(kind=kind)), "item x"
    yield "a condition of another type", form(item("a", "integer"), item("b", **when("a"))), "item b"
    yield "an initial value of another type", form(item(kind="integer", initial=[{"valueString": "x"}])), "item x"
    yield "items that are no list", form().replace("[]", '{"linkId": "a"}'), "must be a list"
