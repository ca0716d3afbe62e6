"""The level of care as the signed document holds it: beside what was suggested, what was decided."""

from typing import Any

from intake.models import Assessment, LevelDecision


def decided_level(assessment: Assessment) -> dict[str, Any]:
    """{decided, waiting}: what counts, and what waits for a co-signature, each None where there is none."""
    beside = LevelDecision.objects.beside(assessment)
    return {"decided": _decision(beside.decided), "waiting": _decision(beside.waiting)}


def _decision(row: LevelDecision | None) -> dict[str, Any] | None:
    if row is None:
        return None
    cosigned = {"cosigned_by": row.cosignature.by.signature_name, "cosigned_at": row.cosignature.at} if hasattr(row, "cosignature") else {}
    return {
        "level": row.level, "label": row.label, "reason_code": row.reason_code, "reason": row.reason, "explanation": row.explanation,
        "needs": row.changed_needs, "by": row.by.signature_name, "at": row.at,
    } | cosigned  # fmt: skip
