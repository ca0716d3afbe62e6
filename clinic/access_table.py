"""Who may do what: the whole access table as data, one row an action, one column a role.

A cell is the scope and, after a colon, the set of fields; `-` is never.

    T  patient on whose care team the user is now      P  patient in a program the user is assigned to
    O  own: authored by the user                       A  all in the organisation
    y  not about one patient (the role alone decides)  :m  minimum fields only (MINIMUM_FIELDS)

A change to this file is a change that a privacy officer signs. `tests/clinic/access_table.yaml` keeps its own copy.
"""

ROLES: dict[str, str] = {
    "intake": "Intake",
    "peer": "Peer",
    "case_manager": "Case manager",
    "counsellor": "Counsellor",
    "nurse": "Nurse",
    "prescriber": "Prescriber",
    "supervisor": "Supervisor",
    "privacy_auditor": "Privacy auditor",
    "content_editor": "Content editor",
    "sys_admin": "System administrator",
}
CLINICIANS = frozenset({"counsellor", "nurse", "prescriber", "supervisor"})

# action: (intake, peer, case manager, counsellor, nurse, prescriber, supervisor, privacy auditor, content editor, system administrator)
TABLE: dict[str, str] = {
    "patient.search":            "P    T    P    P    P    P    P    A:m  -    -",
    "patient.register":          "P    -    T    T    T    T    P    -    -    -",
    "patient.edit":              "P    -    T    T    T    T    P    -    -    -",
    "intake.edit":               "P    -    -    T    T    T    -    -    -    -",
    "intake.submit":             "P    -    -    T    T    T    -    -    -    -",
    "intake.view":               "P:m  T:m  T:m  T    T    T    P    -    -    -",
    "scores.view":               "P:m  T:m  T    T    T    T    P    -    -    -",
    "flag.acknowledge":          "-    -    T    T    T    T    P    -    -    -",
    "plan.view":                 "-    T:m  T    T    T    T    P    -    -    -",
    "plan.edit":                 "-    T    T    T    T    T    -    -    -    -",
    "plan.sign":                 "-    T    T    T    T    T    -    -    -    -",
    "plan.finalise":             "-    -    -    -    -    T    P    -    -    -",
    "medication.view":           "-    -    T    T    T    T    P    -    -    -",
    "medication.edit":           "-    -    -    -    T    T    -    -    -    -",
    "counselling_note.view":     "-    -    -    O    -    -    O:supervised  -  -  -",
    "counselling_note.write":    "-    -    -    O    -    -    -    -    -    -",
    "session_note.write":        "-    T    T    T    T    T    -    -    -    -",
    "consent.create":            "P    -    T    T    T    T    P    -    -    -",
    "consent.revoke":            "P    -    T    T    T    T    P    -    -    -",
    "consent.view":              "P    -    T    T    T    T    P    A    -    -",
    "disclosure.export":         "-    -    T    T    T    T    P    -    -    -",
    "observation.enter":         "-    -    -    T    T    T    P    -    -    -",
    "flag.override":             "-    -    -    T    T    T    P    -    -    -",
    "flag.escalated":            "-    -    -    -    -    -    P    -    -    -",
    "safety_plan.view":          "P    T    T    T    T    T    P    -    -    -",
    "safety_plan.edit":          "-    T    T    T    T    T    P    -    -    -",
    "detox.view":                "-    -    T    T    T    T    P    -    -    -",
    "detox.edit":                "-    -    -    -    T    T    P    -    -    -",
    "review.decide":             "-    -    -    T    T    T    P    -    -    -",
    "review.cosign":             "-    -    -    T    T    T    P    -    -    -",
    "chart.view":                "P:m  T:m  T    T    T    T    P    -    -    -",
    "self_report.link":          "P    -    T    T    T    T    P    -    -    -",
    "break_glass.invoke":        "-    -    -    y    y    y    y    -    -    -",
    "break_glass.review":        "-    -    -    -    -    -    P    A    -    -",
    "audit.view":                "-    -    -    -    -    -    P    A    -    -",
    "care_team.assign":          "-    -    P    -    -    -    P    -    -    -",
    "settings.propose":          "-    -    -    -    -    y    -    -    y    -",
    "settings.approve":          "-    -    -    -    -    -    y    -    -    -",
    "formulary.propose":         "-    -    -    -    -    y    -    -    -    -",
    "formulary.edit":            "-    -    -    -    -    -    -    -    y    y",
    "user.view":                 "-    -    -    -    -    -    -    A    -    A",
    "user.edit":                 "-    -    -    -    -    -    -    -    -    A",
    "questionnaire.import":      "-    -    -    -    -    -    -    -    y    -",
    "questionnaire.publish":     "-    -    -    -    -    -    y    -    -    -",
    "dashboard.view":            "P:m  -    P    P    P    P    P    A    -    -",
}

# Identity must have been re-confirmed at most 5 minutes ago.
STEP_UP = frozenset({"plan.sign", "plan.finalise", "review.cosign", "disclosure.export", "user.edit"})

# What opening a chart in an emergency gives to whoever holds the action for their care team's patients, in a clinician's role: reading what
# there is to know, and writing down what was seen and done. Never counselling notes, never a way out, no plan, no intake, no medicine.
EMERGENCY = frozenset(
    {
        "chart.view", "intake.view", "scores.view", "plan.view", "medication.view", "safety_plan.view", "detox.view", "consent.view",
        "flag.acknowledge", "observation.enter", "session_note.write", "safety_plan.edit",
    }
)  # fmt: skip

# Everybody who has logged in, about themselves only.
OWN_ACCOUNT = "account.own"

# The named fields behind `:m`, per action.
MINIMUM_FIELDS: dict[str, tuple[str, ...]] = {
    "patient.search": ("record_number", "display_name", "birth_date"),
    "intake.view": ("instrument", "status", "completed_at"),
    "scores.view": ("flag", "action"),
    "plan.view": ("goals", "tasks"),
    "chart.view": ("record_number", "display_name", "birth_date", "pronouns", "stage", "flag", "next_due"),
    "dashboard.view": ("counts",),
}

# Whoever typed an intake may read its answers for this many hours after submitting it; then the minimum only.
OWN_ANSWERS_HOURS = 24
