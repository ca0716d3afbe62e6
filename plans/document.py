"""The document that is signed: canonical JSON, so that the same plan always has the same bytes and the same SHA-256.

Canonical form: keys sorted, no white space, UTF-8, strings in Unicode NFC, decimals as strings without trailing
zeros, dates as ISO 8601, date-times in UTC. Floats are refused: 0.1 has no exact value to sign. Close to RFC 8785
(Rundgren et al. 2020), with decimals as strings in place of its IEEE numbers.
"""

import datetime
import hashlib
import json
import unicodedata
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any

SCHEMA = "steady-plan/2"
FIRST = "steady-plan/1"  # no longer written; what was signed under it is read, printed and verified as it is
LIMIT = 2_000_000  # bytes; a longer plan is not signed, because printing it would hold up everybody else

# What a signed plan must carry to be read without this program: the texts and versions it rests on, not only ids.
REQUIRED = (
    "number",  # of the plan in its episode
    "provisional",  # bool: drafted from an unfinished intake
    "language",  # BCP 47, e.g. "en-US"
    "timezone",  # IANA name of the clinic's time zone
    "ids",  # {plan, episode, patient, program}: the public ids of the rows this document stands for
    "supersedes",  # {sha256, signatures: [sha256]} of the version this one replaces, or None
    "certifier",  # the role that must certify this version, e.g. "prescriber", or ""
    "program",  # {name}
    "patient",  # {name, preferred_name, birth_date, record_number, pronouns}
    "assessment",  # {submitted_at, evaluated_at}
    "questionnaires",  # [{url, version, title, sha256, answers: [{link_id, text, state, answer}]}]
    "scores",  # [{code, name, total, band, text}]
    "needs",  # [{id, name, rating, text}]
    "level",  # {level, label, rule, text, decided, waiting}: the suggestion; what was decided, and what waits for a co-signature, or None
    "flags",  # [{rule, name, severity, message, action, status, acknowledged_by, acknowledged_at, action_taken}]
    "suggestions",  # [{component_id, name, tier, because, contraindication, ..., decision, reason, note, hold, only_for: [rule]}]
    "undecided",  # [{component_id, name, ask}]
    "problems",  # [{title, source, goals: [{text, patient_words, measure, baseline, target, target_date, objectives: [...]}]}]
    "deferrals",  # [{rule, subject, reason}]
    "discharge_criteria",
    "review_on",
    "patient_signature",  # {status, reason}
    "copy_offered",
    "content_hash",
    "settings_hash",
    "unreviewed",  # content files no clinician has checked yet
)
SCHEMAS = {FIRST: tuple(part for part in REQUIRED if part not in ("ids", "supersedes", "certifier")), SCHEMA: REQUIRED}

# What the hash of a signature binds, by the schema of the document it stands under.
BOUND = {
    FIRST: ("document", "signer", "credential", "meaning", "at"),
    SCHEMA: ("document", "version", "key", "user", "signer", "credential", "discipline", "meaning", "at"),
}


class DocumentError(ValueError):
    """The plan cannot be written as a document. The message names the path of the value."""


def build(plan_data: Mapping[str, Any]) -> bytes:
    """The canonical bytes of a plan. Raises DocumentError when a part is missing or cannot be written exactly.

    Without a `schema` it is written under the present one; steady-plan/1 keeps its own, any other is refused.
    """
    schema = plan_data.get("schema", SCHEMA)
    if schema not in SCHEMAS:
        raise DocumentError(f"schema {schema!r} is neither {SCHEMA} nor {FIRST}")
    missing = [key for key in SCHEMAS[schema] if key not in plan_data]
    if missing:
        raise DocumentError(f"the document lacks {', '.join(missing)}")
    return canonical({**plan_data, "schema": schema})


def canonical(value: Any) -> bytes:
    """Any plain value as canonical JSON bytes. Raises DocumentError for floats, naive date-times and unknown types."""
    plain = _plain(value, "$")
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode("utf-8")


def sha256(document: bytes) -> str:
    """SHA-256 of the document's bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(document).hexdigest()


def verify(document: bytes, expected: str) -> bool:
    """True when the bytes have this hash and are canonical: nothing was changed, added or reordered."""
    if sha256(document) != expected:
        return False
    try:
        return canonical(load(document)) == document
    except (DocumentError, ValueError):
        return False


def load(document: bytes) -> Any:
    """The document's content. Raises DocumentError for a float or a key that stands twice, ValueError for no JSON."""
    return json.loads(document, parse_float=_no_float, parse_constant=_no_float, object_pairs_hook=_pairs)


def signature_hash(schema: str, bound: Mapping[str, Any]) -> str:
    """SHA-256 that binds one signature: which document, who, in which capacity, when (BOUND says what each schema binds).

    bound: {document: its SHA-256, version and key of the signed plan, user: public id, signer, credential, discipline,
    meaning, at}. Raises KeyError for an unknown schema or a part that is missing.
    """
    return sha256(canonical({name: bound[name] for name in BOUND[schema]}))


def _plain(value: Any, path: str) -> Any:
    match value:
        case None | bool():
            return value
        case Enum():
            return _plain(value.value, path)
        case str():
            return _text(value, path)
        case int():
            return int(value)
        case Decimal():
            return _decimal(value, path)
        case datetime.datetime():
            return _moment(value, path)
        case datetime.date():
            return value.isoformat()
        case uuid.UUID():
            return str(value)
        case Mapping():
            return _object(value, path)
        case Sequence() if not isinstance(value, bytes | bytearray | memoryview):
            return [_plain(item, f"{path}[{index}]") for index, item in enumerate(value)]
    raise DocumentError(f"{path}: {type(value).__name__} cannot be written exactly")


def _text(value: str, path: str) -> str:
    text = unicodedata.normalize("NFC", str(value))
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DocumentError(f"{path}: not a Unicode text") from error
    return text


def _decimal(value: Decimal, path: str) -> str:
    if not value.is_finite():
        raise DocumentError(f"{path}: {value} is not a number")
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _moment(value: datetime.datetime, path: str) -> str:
    if value.utcoffset() is None:
        raise DocumentError(f"{path}: a date-time without a time zone")
    return value.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")


def _object(value: Mapping[Any, Any], path: str) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise DocumentError(f"{path}: the key {key!r} is not a text")
        name = _text(key, path)
        if name in result:
            raise DocumentError(f"{path}: the key {name!r} stands twice")
        result[name] = _plain(item, f"{path}.{name}")
    return result


def _no_float(text: str) -> Any:
    raise DocumentError(f"{text}: a number that is not whole")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise DocumentError("a key stands twice")
    return result
