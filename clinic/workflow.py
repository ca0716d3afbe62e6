"""In which stage an episode is, and which stages may follow: one dict."""

REGISTERED = "registered"
INTAKE = "intake"
ASSESSED = "assessed"
PLANNING = "planning"
AWAITING = "awaiting signature"
TREATMENT = "treatment"
AFTERCARE = "aftercare"
CLOSED = "closed"

STAGES = [
    (REGISTERED, "Registered"),
    (INTAKE, "Intake under way"),
    (ASSESSED, "Intake complete"),
    (PLANNING, "Plan being written"),
    (AWAITING, "Plan awaits a signature"),
    (TREATMENT, "In treatment"),
    (AFTERCARE, "Aftercare"),
    (CLOSED, "Closed"),
]

TRANSITIONS: dict[str, frozenset[str]] = {
    REGISTERED: frozenset({INTAKE, CLOSED}),
    INTAKE: frozenset({ASSESSED, PLANNING, CLOSED}),
    ASSESSED: frozenset({PLANNING, CLOSED}),
    PLANNING: frozenset({AWAITING, TREATMENT, CLOSED}),
    AWAITING: frozenset({PLANNING, TREATMENT, CLOSED}),
    TREATMENT: frozenset({PLANNING, AFTERCARE, CLOSED}),
    AFTERCARE: frozenset({PLANNING, TREATMENT, CLOSED}),
    CLOSED: frozenset(),
}


class StageRefused(ValueError):
    """The episode cannot go from its stage to that one; the message is a sentence for the person."""


def check(current: str, following: str) -> None:
    """Raise StageRefused unless `following` is `current` or may come after it."""
    if following != current and following not in TRANSITIONS[current]:
        labels = dict(STAGES)
        raise StageRefused(f"This episode is at “{labels[current]}” and cannot go to “{labels[following]}” from there.")
