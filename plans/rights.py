"""Who may touch which part of a plan, beyond the access table's row: one's own discipline's part, and medicines."""

from collections.abc import Iterable

from clinic.access_table import CLINICIANS
from clinic.models import Episode, User
from clinic.permissions import Refused, roles_in
from clinic.views.reach import in_full, within

# Medicines and what is started, tapered or held with them.
MEDICATION_GROUPS = frozenset({"MED"})
MEDICATION_COMPONENTS = frozenset({"DTX-01", "DTX-02", "DTX-04", "DTX-06", "DTX-07"})
# What somebody who is no clinician may decide on: their own discipline's part.
OWN_GROUPS = {"peer": frozenset({"PEER"}), "case_manager": frozenset({"SOC"})}


def is_medication(component_id: str) -> bool:
    return component_id.split("-")[0] in MEDICATION_GROUPS or component_id in MEDICATION_COMPONENTS


def sees_medicines(user: User, episode: Episode) -> bool:
    """Medicines only for those who may view the medication part."""
    return bool(within(user, "medication.view", [episode]))


def check_decides(user: User, component_id: str, episode: Episode) -> None:
    """Raise Refused unless this component, suggested or to be added, is in this person's part of the plan."""
    if is_medication(component_id) and not within(user, "medication.edit", [episode]):
        raise Refused("A nurse or a prescriber decides on medicines.")
    roles = roles_in(user, episode.program_id)
    own = frozenset().union(*(OWN_GROUPS.get(role, frozenset()) for role in roles))
    if not roles & CLINICIANS and component_id.split("-")[0] not in own:
        raise Refused("Your role decides on its own discipline's part of the plan; a clinician decides on this one.")


def check_shapes(user: User, episode: Episode) -> None:
    """Raise Refused unless this person may write the plan's problems, goals and details: a clinician."""
    if not roles_in(user, episode.program_id) & CLINICIANS:
        raise Refused("A clinician writes this part of the plan; you can add and change interventions of your own discipline.")


def check_part(user: User, kind: str, discipline: str | None, episode: Episode) -> None:
    """Raise Refused unless this person may write this part; `discipline` is an intervention's, None while none is chosen."""
    if kind != "intervention":
        check_shapes(user, episode)
    elif discipline is not None:
        check_intervention(user, discipline, episode)


def check_medicines(user: User, component_ids: Iterable[str], episode: Episode) -> None:
    """Raise Refused where one of these components is a medicine's and this person may not edit the medication part."""
    if any(is_medication(id) for id in component_ids) and not within(user, "medication.edit", [episode]):
        raise Refused("A nurse or a prescriber changes what concerns medicines.")


def check_intervention(user: User, discipline: str, episode: Episode) -> None:
    """Raise Refused unless the intervention is of this person's discipline, or they are a clinician."""
    if not roles_in(user, episode.program_id) & CLINICIANS and discipline != user.discipline:
        raise Refused(f"You can add and change interventions of your own discipline ({user.get_discipline_display().lower()}).")


def check_signs(user: User, episode: Episode) -> None:
    """Raise Refused unless this person reads the whole plan: nobody signs what they may not see."""
    if not in_full(user, "plan.view", episode):
        raise Refused("Your role reads the goals and tasks of the plan; who signs it has read all of it.")
