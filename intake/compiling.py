"""From FHIR R4 Questionnaire JSON to the frozen items of intake/questionnaire.py, with every problem named."""

import datetime
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import re2

from intake.answers import Coding, PartialDate, Value
from intake.questionnaire import EnableWhen, Item, Option

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
# They change how a form looks or where its answers are taken to, not what is asked, shown, allowed or scored.
HARMLESS = re.compile(
    r"(?:[a-z]+-)*(?:rendering-\w+|choiceOrientation|displayCategory|supportLink|optionPrefix|openLabel|sliderStepValue|minOccurs|"
    r"designNote|usageMode|signatureRequired|preferredTerminologyServer|shortText|observationExtract|observation-extract|columnCount|"
    r"width|performerType|assembled-from|endpoint|translation|own-wording|title|variable-name|codegen[\w-]*|cqf-citation|"
    r"artifact[\w-]*|resource-[\w-]+|structuredefinition-wg|workflow-[\w-]+)(?:-[a-z]+)?",
    re.IGNORECASE,
)
# FHIR cannot ask whether a question was declined; other programs read the plain `exists = false` that carries this.
DECLINED = "https://steady.health/StructureDefinition/enable-when-declined"
WEIGHTS = ("ordinalValue", "itemWeight")
LIMITS = frozenset(
    ["minValue", "maxValue", "regex", "maxDecimalPlaces", "minLength", "entryFormat", "questionnaire-unit", "questionnaire-hidden",
     "questionnaire-itemControl", "questionnaire-maxOccurs", "questionnaire-optionExclusive", *WEIGHTS]
)  # fmt: skip
MAX_ITEMS = 2000
MAX_DEPTH = 30  # of groups inside groups
MAX_CHAIN = 60  # of conditions that look at conditions
LARGEST = 1_000_000


def compile_items(resource: Mapping[str, Any], problems: list[str]) -> tuple[Item, ...]:
    """The items of a Questionnaire; whatever is not honoured is added to `problems`, each named."""
    for name in ("extension", "modifierExtension", "contained", "item"):
        if not isinstance(resource.get(name, []), list) or (name != "item" and not _objects(resource.get(name, []))):
            problems.append(f"the form's {name} has not the shape it must have")
            resource = {key: value for key, value in resource.items() if key != name}
    for extension in resource.get("extension", []):
        if not _harmless(extension.get("url")):
            problems.append(f"the form uses {_short(extension.get('url'))}, which is not supported")
    problems += [f"the form uses {name}, which is not supported" for name in ("modifierExtension", "implicitRules") if resource.get(name)]
    value_sets = {f"#{c.get('id')}": c for c in resource.get("contained", []) if c.get("resourceType") == "ValueSet"}
    items = tuple(_item(data, value_sets, problems) for data in resource.get("item", []))
    everything = [item for root in items for item in root.walk()]
    if not everything:
        problems.append("the form has no items")
    if len(everything) > MAX_ITEMS:
        problems.append(f"the form has more than {MAX_ITEMS} items")
    _check_links(items, everything, problems)
    return items


def _objects(rows: list[Any]) -> bool:
    return all(isinstance(row, Mapping) for row in rows)


# What each element must be, so that nothing further down meets a shape it does not expect.
SHAPES: dict[str, type | tuple[type, ...]] = {
    "linkId": str, "text": str, "prefix": str, "type": str, "definition": str, "answerValueSet": str, "enableBehavior": str,
    "required": bool, "repeats": bool, "readOnly": bool, "maxLength": int, "code": list, "item": list, "extension": list,
    "answerOption": list, "enableWhen": list, "initial": list,
}  # fmt: skip


def _sound(data: Any, problem: Any) -> Mapping[str, Any]:
    """The element with every part that has not the shape it must have named and left out."""
    if not isinstance(data, Mapping):
        problem("it is no object")
        return {}
    kept = {}
    for name, value in data.items():
        wanted = SHAPES.get(name)
        if wanted is not None and (not isinstance(value, wanted) or (wanted is int and isinstance(value, bool))):
            problem(f"{name} has not the shape it must have")
        elif isinstance(value, list) and name != "item" and not _objects(value):
            problem(f"{name} must hold objects")
        else:
            kept[name] = value
    return kept


def _harmless(url: Any) -> bool:
    """By the last part of the address, word by word: a longer word that merely contains one of these is not it."""
    return isinstance(url, str) and HARMLESS.fullmatch(_short(url)) is not None


def _short(url: Any) -> str:
    url = url if isinstance(url, str) else ""
    return url.rsplit("/", 1)[-1] or "an extension without a url"


def _item(raw: Any, value_sets: Mapping[str, Any], problems: list[str], depth: int = 0) -> Item:
    link_id = str(raw.get("linkId", "")) if isinstance(raw, Mapping) else ""

    def problem(text: str) -> None:
        problems.append(f"item {link_id or '?'}: {text}")

    data = _sound(raw, problem)
    kind = str(data.get("type", ""))
    if depth > MAX_DEPTH:
        problem(f"it lies more than {MAX_DEPTH} levels deep")
        data = {name: value for name, value in data.items() if name != "item"}

    if not link_id:
        problem("it has no linkId")
    if kind not in TYPES:
        problem(f"the type {kind!r} is not supported")
    for element in sorted(set(data) - ELEMENTS):
        problem(f"{element} is not supported")
    found = _Extensions(data.get("extension", []), problem)
    behavior = data.get("enableBehavior")
    conditions = tuple(_condition(row, problem) for row in data.get("enableWhen", []))
    if len(conditions) > 1 and behavior not in ("all", "any"):
        problem("more than one enableWhen needs an enableBehavior")
    children = tuple(_item(child, value_sets, problems, depth + 1) for child in data.get("item", []))
    options = _options(data, value_sets, problem)
    if kind in ("choice",) and not options:
        problem("a choice without answers to choose from")
    if kind not in ("group", "display") and data.get("repeats") and any(child.is_question for child in children):
        problem("questions below a question that takes several answers are not supported")
    if kind == "boolean" and data.get("repeats"):
        problem("several answers to a yes-or-no question are not supported")
    return Item(
        link_id=link_id, type=kind, text=str(data.get("text", "")), prefix=str(data.get("prefix", "")),
        required=bool(data.get("required")), repeats=bool(data.get("repeats")), read_only=bool(data.get("readOnly")),
        hidden=found.flag("questionnaire-hidden"), max_length=data.get("maxLength"), min_length=found.whole("minLength"),
        max_decimal_places=found.whole("maxDecimalPlaces"), min_value=found.value("minValue", problem),
        max_value=found.value("maxValue", problem), max_occurs=found.whole("questionnaire-maxOccurs"),
        pattern=_pattern(found.text("regex"), problem), entry_format=found.text("entryFormat"), unit=found.unit(),
        control=found.control(problem), help=_help(children), initial=tuple(_initial(data, problem)), options=options,
        enable_when=conditions, enable_any=behavior == "any", children=children,
    )  # fmt: skip


def _help(children: tuple[Item, ...]) -> str:
    return " ".join(child.text for child in children if child.is_help)


class _Extensions:
    """The extensions of one item by the last part of their url; unknown ones are a problem."""

    def __init__(self, extensions: Any, problem: Any) -> None:
        self.rows: dict[str, Mapping[str, Any]] = {}
        self.problem = problem
        for row in extensions:
            name = _short(row.get("url", ""))
            if name in LIMITS:
                self.rows[name] = row
            elif not _harmless(row.get("url")):
                problem(f"{name} is not supported")

    def _raw(self, name: str) -> Any:
        return next((value for key, value in self.rows.get(name, {}).items() if key.startswith("value")), None)

    def flag(self, name: str) -> bool:
        return self._raw(name) is True

    def text(self, name: str) -> str:
        return str(self._raw(name) or "")

    def whole(self, name: str) -> int | None:
        value = self._raw(name)
        fits = isinstance(value, int | Decimal) and not isinstance(value, bool) and 0 <= value <= LARGEST and value == int(value)
        if name in self.rows and not fits:
            self.problem(f"{name} must be a whole number")
        return int(value) if fits else None

    def value(self, name: str, problem: Any) -> Value | None:
        row = self.rows.get(name)
        if row is None:
            return None
        value = _typed(row, problem, name)
        if not isinstance(value, int | Decimal | datetime.date):
            problem(f"{name} must be a number or a date")
            return None
        return value

    def unit(self) -> str:
        coding = self._raw("questionnaire-unit") or {}
        return str(coding.get("display") or coding.get("code") or "") if isinstance(coding, Mapping) else ""

    def control(self, problem: Any) -> str:
        concept = self._raw("questionnaire-itemControl") or {}
        codes = [str(coding.get("code", "")) for coding in concept.get("coding", [])] if isinstance(concept, Mapping) else []
        for code in codes:
            if code not in CONTROLS:
                problem(f"the item control {code!r} is not supported")
        return codes[0] if codes else ""


def _pattern(text: str, problem: Any) -> Any:
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


def _typed(data: Mapping[str, Any], problem: Any, where: str, prefix: str = "value") -> Value | None:
    """The value[x] or answer[x] of an object."""
    found = [(key[len(prefix) :], value) for key, value in data.items() if key.startswith(prefix)]
    if len(found) != 1:
        problem(f"{where} must hold exactly one value")
        return None
    kind, value = found[0]
    try:
        match kind:
            case "Boolean" | "String" | "Uri":
                return value  # type: ignore[no-any-return]
            case "Integer":
                return int(value)
            case "Decimal":
                return Decimal(str(value))
            case "Date":
                return datetime.date.fromisoformat(value) if len(value) == 10 else PartialDate(value)
            case "DateTime":
                return datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
            case "Time":
                return datetime.time.fromisoformat(value)
            case "Coding":
                return _coding(value)
    except (TypeError, ValueError, InvalidOperation, AttributeError):
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


def _options(data: Mapping[str, Any], value_sets: Mapping[str, Any], problem: Any) -> tuple[Option, ...]:
    rows = data.get("answerOption", [])
    if not rows and "answerValueSet" in data:
        rows = list(_expanded(data["answerValueSet"], value_sets, problem))
    options = tuple(option for row in rows if (option := _one_option(row, problem)) is not None)
    values = [option.value.code if isinstance(option.value, Coding) else option.value for option in options]
    if len(set(values)) != len(values):
        problem("an answer to choose stands twice")
    return options


def _one_option(row: Mapping[str, Any], problem: Any) -> Option | None:
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


def _expanded(reference: str, value_sets: Mapping[str, Any], problem: Any) -> Iterator[dict[str, Any]]:
    """A contained value set, enumerated in its expansion or its compose. Nothing remote is ever fetched."""
    value_set = value_sets.get(reference)
    if value_set is None:
        problem(f"the value set {reference} is not contained in the form")
        return
    expansion = value_set.get("expansion", {}).get("contains")
    if expansion:
        for row in expansion:
            yield {"valueCoding": row}
        return
    for part in value_set.get("compose", {}).get("include", []):
        if part.get("filter") or part.get("valueSet") or not part.get("concept"):
            problem(f"the value set {reference} does not list its codes")
        for concept in part.get("concept", []):
            yield {"valueCoding": {"system": part.get("system")} | concept}


def _initial(data: Mapping[str, Any], problem: Any) -> Iterator[Value]:
    for row in data.get("initial", []):
        if (value := _typed(row, problem, "initial")) is not None:
            yield value
    for row in data.get("answerOption", []):
        if row.get("initialSelected") and (value := _typed({k: v for k, v in row.items() if k.startswith("value")}, problem, "initial")):
            yield value


def _condition(row: Mapping[str, Any], problem: Any) -> EnableWhen:
    """One enableWhen. With our extension `exists = false` is narrowed to: asked, and declined."""
    operator = str(row.get("operator", ""))
    for extension in row.get("extension", []):
        if extension.get("url") != DECLINED:
            problem(f"{_short(extension.get('url', ''))} is not supported in enableWhen")
        elif operator != "exists" or row.get("answerBoolean") is not False or extension.get("valueBoolean") is not True:
            problem(f"{_short(DECLINED)} narrows exists = false and nothing else")
        else:
            return EnableWhen(str(row.get("question", "")), "declined", True)
    if operator not in OPERATORS:
        problem(f"the enableWhen operator {operator!r} is not supported")
    answer = _typed({k: v for k, v in row.items() if k.startswith("answer")}, problem, "enableWhen", "answer")
    if operator == "exists" and not isinstance(answer, bool):
        problem("enableWhen exists needs answerBoolean")
    return EnableWhen(str(row.get("question", "")), operator, False if answer is None else answer)


def _check_links(items: tuple[Item, ...], everything: list[Item], problems: list[str]) -> None:
    """Duplicate linkIds, conditions on items that do not exist, and items that depend on themselves."""
    ids = [item.link_id for item in everything]
    for link_id in sorted({id for id in ids if ids.count(id) > 1}) if len(set(ids)) != len(ids) else []:
        problems.append(f"item {link_id}: this linkId stands twice")
    needs: dict[str, set[str]] = {item.link_id: {c.question for c in item.enable_when} for item in everything}
    for item in everything:
        for question in sorted(needs[item.link_id] - set(ids)):
            problems.append(f"item {item.link_id}: enableWhen asks for {question}, which does not exist")
        for child in item.children:
            needs[child.link_id].add(item.link_id)
    circle, longest = _layers(needs)
    if circle:
        problems.append(f"items {', '.join(sorted(circle))}: they depend on each other in a circle")
    if longest > MAX_CHAIN:
        problems.append(f"the form has {longest} conditions that depend on each other in a row; {MAX_CHAIN} are supported")


def _layers(needs: Mapping[str, set[str]]) -> tuple[set[str], int]:
    """Items taken away layer by layer, those first that depend on nothing left: what stays is a circle; and the number of layers."""
    left = {link_id: {other for other in others if other in needs} for link_id, others in needs.items()}
    layers = 0
    while free := [link_id for link_id, others in left.items() if not others]:
        layers += 1
        for link_id in free:
            del left[link_id]
        for others in left.values():
            others.difference_update(free)
    return set(left), layers
