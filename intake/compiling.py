"""From FHIR R4 Questionnaire JSON to the frozen items of intake/questionnaire.py, with every problem named."""

import datetime
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from graphlib import CycleError, TopologicalSorter
from typing import Any

import re2

from intake.answers import PARTIAL_DATE, Coding, PartialDate, Uri, Value, moment, of_type, posted_value, value_problem
from intake.questionnaire import EnableWhen, Item, Option
from intake.shape import shape_problems

Problem = Callable[[str], None]

FHIR = "http://hl7.org/fhir/StructureDefinition/"
SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/"
TYPES = frozenset(
    ["group", "display", "boolean", "integer", "decimal", "string", "text", "url", "date", "dateTime", "time", "choice", "open-choice"]
)  # fmt: skip
ELEMENTS = frozenset(
    {
        "id", "linkId", "definition", "code", "prefix", "text", "type", "enableWhen", "enableBehavior", "required", "repeats",
        "readOnly", "maxLength", "answerValueSet", "answerOption", "initial", "item", "extension", "_text", "_prefix",
    }
)  # fmt: skip
OPERATORS = frozenset(["exists", "=", "!=", ">", "<", ">=", "<="])
CONTROLS = frozenset(
    {
        "radio-button", "check-box", "drop-down", "autocomplete", "slider", "help", "flyover", "prompt", "header", "footer", "page",
        "gtable", "htable", "list", "lower", "upper", "inline", "unit", "text-box", "spinner",
    }
)  # fmt: skip
# The last part of the url of extensions that change how a form looks or where its answers are taken to, and not what is asked,
# shown, allowed or scored.
HARMLESS = frozenset(
    {
        "rendering-style", "rendering-styleSensitive", "rendering-markdown", "rendering-xhtml", "translation", "designNote",
        "questionnaire-choiceOrientation", "questionnaire-displayCategory", "questionnaire-supportLink", "questionnaire-optionPrefix",
        "questionnaire-sliderStepValue", "questionnaire-usageMode", "questionnaire-signatureRequired", "questionnaire-openLabel",
        "sdc-questionnaire-openLabel", "sdc-questionnaire-shortText", "sdc-questionnaire-width", "sdc-questionnaire-columnCount",
        "sdc-questionnaire-performerType", "sdc-questionnaire-preferredTerminologyServer", "preferredTerminologyServer",
        "sdc-questionnaire-observationExtract", "sdc-questionnaire-observation-extract-category", "sdc-questionnaire-endpoint",
        "sdf-endpoint", "assembled-from", "sdc-questionnaire-assembledFrom", "cqf-citation",
        "artifact-versionAlgorithm", "artifact-versionPolicy", "artifact-copyrightLabel", "artifact-author", "artifact-contact",
        "artifact-editor", "artifact-endorser", "artifact-reviewer", "artifact-topic", "artifact-usage", "artifact-relatedArtifact",
        "resource-approvalDate", "resource-effectivePeriod", "resource-lastReviewDate", "structuredefinition-wg",
    }
)  # fmt: skip
# FHIR cannot ask whether a question was declined; other programs read the plain `exists = false` that carries this.
DECLINED = "https://steady.health/StructureDefinition/enable-when-declined"
WEIGHTS = ("ordinalValue", "itemWeight")
LIMITS = frozenset(
    ["minValue", "maxValue", "regex", "maxDecimalPlaces", "minLength", "entryFormat", "questionnaire-unit", "questionnaire-hidden",
     "questionnaire-itemControl", "questionnaire-maxOccurs", "questionnaire-minOccurs", "questionnaire-optionExclusive", *WEIGHTS]
)  # fmt: skip
# The types on which a limit means something; on another it would be accepted and then ignored.
LETTERS, NUMBERS = frozenset(["string", "text", "url", "open-choice"]), frozenset(["integer", "decimal"])
CHOSEN = LETTERS | {"choice"}  # LOINC writes lengths there too; what is chosen from a list has the length it has
FITS = {
    "maxLength": CHOSEN, "minLength": CHOSEN, "regex": LETTERS, "maxDecimalPlaces": frozenset(["decimal"]),
    "minValue": NUMBERS | {"date"}, "maxValue": NUMBERS | {"date"},
}  # fmt: skip
MAX_ITEMS = 2000


def compile_items(resource: Mapping[str, Any], problems: list[str]) -> tuple[Item, ...]:
    """The items of a Questionnaire; whatever is not honoured is added to `problems`, each named."""
    problems += shape_problems(resource)
    if problems:
        return ()
    for extension in resource.get("extension", []):
        if _short(extension.get("url", "")) not in HARMLESS:
            problems.append(f"the form uses {_short(extension.get('url', ''))}, which is not supported")
    for element in ("modifierExtension", "implicitRules"):
        if resource.get(element):
            problems.append(f"the form uses {element}, which may change what it means and is not supported")
    value_sets = {f"#{c.get('id')}": c for c in resource.get("contained", []) if c.get("resourceType") == "ValueSet"}
    items = tuple(_item(data, value_sets, problems) for data in resource.get("item", []))
    everything = [item for root in items for item in root.walk()]
    if not everything:
        problems.append("the form has no items")
    if len(everything) > MAX_ITEMS:
        problems.append(f"the form has more than {MAX_ITEMS} items")
    _check_links(items, everything, problems)
    return items


def _short(url: str) -> str:
    return url.rsplit("/", 1)[-1] or "an extension without a url"


def _item(data: Mapping[str, Any], value_sets: Mapping[str, Any], problems: list[str]) -> Item:
    link_id, kind = data.get("linkId", ""), data.get("type", "")

    def problem(text: str) -> None:
        problems.append(f"item {link_id or '?'}: {text}")

    if not link_id:
        problem("it has no linkId")
    if kind not in TYPES:
        problem(f"the type {kind!r} is not supported")
    for element in sorted(set(data) - ELEMENTS):
        problem(f"{element} is not supported")
    for element in ("_text", "_prefix"):
        _Extensions(data.get(element, {}).get("extension", []), problem, known=frozenset())
    found = _Extensions(data.get("extension", []), problem)
    for limit, types in FITS.items():
        if (limit in found.rows or limit in data) and kind not in types:
            problem(f"{limit} on a question of type {kind} is not supported")
    if data.get("maxLength", 1) < 1:
        problem("maxLength must be a whole number above 0, else nothing could be answered")
    item = Item(
        link_id=link_id, type=kind, text=data.get("text", ""), prefix=data.get("prefix", ""),
        required=data.get("required", False), repeats=data.get("repeats", False), read_only=data.get("readOnly", False),
        hidden=found.flag("questionnaire-hidden"), max_length=data.get("maxLength"), min_length=found.count("minLength", problem),
        max_decimal_places=found.count("maxDecimalPlaces", problem), min_value=found.limit("minValue", kind, problem),
        max_value=found.limit("maxValue", kind, problem), max_occurs=found.count("questionnaire-maxOccurs", problem),
        pattern=_pattern(found.text("regex"), problem), entry_format=found.text("entryFormat"), unit=found.unit(),
        control=found.control(problem), options=_options(data, value_sets, problem),
        enable_when=tuple(_condition(row, problem) for row in data.get("enableWhen", [])),
        enable_any=data.get("enableBehavior") == "any", initial=tuple(_initial(data, problem)),
        children=tuple(_item(child, value_sets, problems) for child in data.get("item", [])),
    )  # fmt: skip
    if len(item.enable_when) > 1 and data.get("enableBehavior") not in ("all", "any"):
        problem("more than one enableWhen needs an enableBehavior")
    _check_answers(item, found, problem)
    return replace(item, help=_help(item.children))


def _check_answers(item: Item, found: "_Extensions", problem: Problem) -> None:
    """What the answers of an item may be, how many there are, and what hangs on them."""
    least = found.count("questionnaire-minOccurs", problem) or 0
    if least > item.required:
        problem(f"at least {least} answers (minOccurs) is not supported, only whether it is required")
    if item.type == "choice" and not item.options:
        problem("a choice without answers to choose from")
    if item.repeats and item.type in ("boolean", "display"):
        problem(f"several answers to a question of type {item.type} are not supported")
    if item.is_question and item.repeats and any(child.type != "display" for child in item.children):
        problem("questions below a question with several answers are not supported, because they would belong to one of them")
    if item.options and not item.is_question:
        problem(f"answers to choose in a {item.type} are not supported")
    if item.initial and item.type in TYPES and (wrong := value_problem(item, item.initial) if item.is_question else "It is no question."):
        problem(f"the initial value cannot be an answer to it. {wrong}")


def _below(items: tuple[Item, ...]) -> Iterator[Item]:
    for item in items:
        yield from item.walk()


def _help(children: tuple[Item, ...]) -> str:
    return " ".join(child.text for child in children if child.is_help)


class _Extensions:
    """The extensions of one element by the last part of their url; unknown ones are a problem."""

    def __init__(self, extensions: Iterable[Mapping[str, Any]], problem: Problem, known: frozenset[str] = LIMITS) -> None:
        self.rows: dict[str, Mapping[str, Any]] = {}
        for row in extensions:
            name = _short(row.get("url", ""))
            if name in self.rows:
                problem(f"{name} stands twice")
            elif name in known:
                self.rows[name] = row
            elif name not in HARMLESS:
                problem(f"{name} is not supported")

    def _raw(self, name: str) -> Any:
        return next((value for key, value in self.rows.get(name, {}).items() if key.startswith("value")), None)

    def flag(self, name: str) -> bool:
        return self._raw(name) is True

    def text(self, name: str) -> str:
        return str(self._raw(name) or "")

    def count(self, name: str, problem: Problem) -> int | None:
        """A whole number that is not below 0."""
        value = self._raw(name)
        if name not in self.rows or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
            return value
        problem(f"{name} must be a whole number that is not below 0")
        return None

    def limit(self, name: str, kind: str, problem: Problem) -> Value | None:
        """The least or greatest value of a question of type `kind`."""
        row = self.rows.get(name)
        if row is None:
            return None
        value = _typed(row, problem, name)
        if isinstance(value, Decimal) and kind == "integer" and value == int(value):
            value = int(value)
        if value is None or (kind in FITS[name] and not (of_type(kind, value) and isinstance(value, int | Decimal | datetime.date))):
            problem(f"{name} must be a value that an answer of type {kind} can have")
            return None
        return value

    def unit(self) -> str:
        coding = self._raw("questionnaire-unit") or {}
        return str(coding.get("display") or coding.get("code") or "") if isinstance(coding, Mapping) else ""

    def control(self, problem: Problem) -> str:
        concept = self._raw("questionnaire-itemControl") or {}
        codes = [str(coding.get("code", "")) for coding in concept.get("coding", [])] if isinstance(concept, Mapping) else []
        for code in codes:
            if code not in CONTROLS:
                problem(f"the item control {code!r} is not supported")
        return codes[0] if codes else ""


def _pattern(text: str, problem: Problem) -> Any:
    """Linear-time expressions only: an imported one may be hostile."""
    if not text:
        return None
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    try:
        return re2.compile(text, options)
    except re2.error as error:
        problem(f"the regular expression is not supported (no look-around, no back-references): {error}")
        return None


def _typed(data: Mapping[str, Any], problem: Problem, where: str, prefix: str = "value") -> Value | None:
    """The value[x] or answer[x] of an object."""
    found = [(key[len(prefix) :], value) for key, value in data.items() if key.startswith(prefix)]
    if len(found) != 1:
        problem(f"{where} must hold exactly one value")
        return None
    kind, value = found[0]
    try:
        match kind:
            case "Boolean" | "String" | "Integer":
                return value  # type: ignore[no-any-return]
            case "Uri":
                return Uri(value)
            case "Decimal":
                return Decimal(str(value))
            case "Date":
                return PartialDate(value) if PARTIAL_DATE.fullmatch(value) else datetime.date.fromisoformat(value)
            case "DateTime":
                return moment(value)
            case "Time":
                return datetime.time.fromisoformat(value)
            case "Coding":
                return _coding(value)
    except (ValueError, InvalidOperation):
        problem(f"{where} holds a {kind} that cannot be read")
        return None
    problem(f"{where} of type {kind} is not supported")
    return None


def _coding(data: Mapping[str, Any]) -> Coding:
    return Coding(data.get("system"), str(data.get("code", "")), str(data.get("display", "")), _weight(data))


def _weight(data: Mapping[str, Any]) -> Decimal | None:
    for row in data.get("extension", []):
        if _short(row.get("url", "")) in WEIGHTS and "valueDecimal" in row:
            return Decimal(str(row["valueDecimal"]))
    return None


def _options(data: Mapping[str, Any], value_sets: Mapping[str, Any], problem: Problem) -> tuple[Option, ...]:
    rows = data.get("answerOption", [])
    if not rows and "answerValueSet" in data:
        rows = list(_expanded(data["answerValueSet"], value_sets, problem))
    options = tuple(option for row in rows if (option := _one_option(row, problem)) is not None)
    told = [posted_value(option.value) for option in options]
    if "" in told:
        problem("an answer to choose has no code")
    for twice in sorted(text for text, times in Counter(told).items() if text and times > 1):
        problem(f"two answers to choose are both {twice!r}, so what is chosen could not be told apart")
    return options


def _one_option(row: Mapping[str, Any], problem: Problem) -> Option | None:
    found = _Extensions(row.get("extension", []), problem)
    value = _typed({key: v for key, v in row.items() if key.startswith("value")}, problem, "answerOption")
    if value is None:
        return None
    weight = _weight(row)
    if isinstance(value, Coding):
        weight = weight if value.weight is None else value.weight
        value = Coding(value.system, value.code, value.display, weight)
    display = value.display or value.code if isinstance(value, Coding) else str(value)
    return Option(value, display, weight, found.flag("questionnaire-optionExclusive"))


def _expanded(reference: str, value_sets: Mapping[str, Any], problem: Problem) -> Iterator[dict[str, Any]]:
    """The codes of a contained value set, from its expansion or its compose. Nothing remote is ever fetched."""
    value_set = value_sets.get(reference)
    if value_set is None:
        problem(f"the value set {reference} is not contained in the form")
        return
    expansion = value_set.get("expansion", {}).get("contains")
    if expansion:
        yield from ({"valueCoding": row} for row in _contained(expansion))
        return
    if value_set.get("compose", {}).get("exclude"):
        problem(f"the value set {reference} excludes codes, which is not supported")
    for part in value_set.get("compose", {}).get("include", []):
        if part.get("filter") or part.get("valueSet") or not part.get("concept"):
            problem(f"the value set {reference} does not list its codes")
        for concept in part.get("concept", []):
            yield {"valueCoding": {"system": part.get("system")} | concept}


def _contained(rows: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The codes of an expansion, those below others too; an abstract one only gathers what is below it."""
    for row in rows:
        if not row.get("abstract"):
            yield {key: value for key, value in row.items() if key != "contains"}
        yield from _contained(row.get("contains", []))


def _initial(data: Mapping[str, Any], problem: Problem) -> Iterator[Value]:
    for row in data.get("initial", []):
        if (value := _typed(row, problem, "initial")) is not None:
            yield value
    for row in data.get("answerOption", []):
        if row.get("initialSelected") and (value := _typed({k: v for k, v in row.items() if k.startswith("value")}, problem, "initial")):
            yield value


def _condition(row: Mapping[str, Any], problem: Problem) -> EnableWhen:
    """One enableWhen. With our extension `exists = false` is narrowed to: asked, and declined."""
    operator, question = row.get("operator", ""), row.get("question", "")
    for extension in row.get("extension", []):
        if extension.get("url") != DECLINED:
            problem(f"{_short(extension.get('url', ''))} is not supported in enableWhen")
        elif operator != "exists" or row.get("answerBoolean") is not False or extension.get("valueBoolean") is not True:
            problem(f"{_short(DECLINED)} narrows exists = false and nothing else")
        else:
            return EnableWhen(question, "declined", True)
    if operator not in OPERATORS:
        problem(f"the enableWhen operator {operator!r} is not supported")
    answer = _typed({k: v for k, v in row.items() if k.startswith("answer")}, problem, "enableWhen", "answer")
    if operator == "exists" and not isinstance(answer, bool):
        problem("enableWhen exists needs answerBoolean")
    return EnableWhen(question, operator, False if answer is None else answer)


def _check_links(items: tuple[Item, ...], everything: list[Item], problems: list[str]) -> None:
    """Duplicate linkIds, conditions on items that do not exist or cannot give that answer, and items that depend on themselves."""
    by_id = {item.link_id: item for item in everything}
    for link_id in sorted(link_id for link_id, times in Counter(item.link_id for item in everything).items() if times > 1):
        problems.append(f"item {link_id}: this linkId stands twice")
    needs: dict[str, set[str]] = {item.link_id: {c.question for c in item.enable_when} for item in everything}
    for item in everything:
        for condition in item.enable_when:
            if problem := _condition_problem(condition, by_id.get(condition.question)):
                problems.append(f"item {item.link_id}: {problem}")
        for child in item.children:
            needs[child.link_id].add(item.link_id)
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as circle:
        problems.append(f"items {', '.join(sorted(set(circle.args[1])))}: they depend on each other in a circle")


def _condition_problem(condition: EnableWhen, question: Item | None) -> str:
    if question is None:
        return f"enableWhen asks for {condition.question}, which does not exist"
    if not question.is_question:
        return f"enableWhen asks for {condition.question}, which is no question"
    if condition.operator in ("exists", "declined"):
        return ""
    kind = "decimal" if question.type == "integer" else question.type  # 2.5 is not an answer but can be compared with one
    if not of_type(kind, condition.answer):
        return f"enableWhen compares {condition.question} with an answer of another type than {question.type}"
    return ""
