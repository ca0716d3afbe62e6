"""Handouts that were given to a patient."""

import uuid

from django.db import transaction
from django.utils import timezone

from clinic.models import Episode, User
from intake.actions import lock_episode
from plans.handouts import Handout
from plans.models import HandoutGiven


@transaction.atomic
def give_handout(*, by: User, episode: Episode, handout: Handout, key: uuid.UUID) -> HandoutGiven:
    """Record that the patient was given this handout, as its text is now. The same `key` gives the same row."""
    lock_episode(episode)  # the second click of a double click waits here and finds the row of the first
    # Of the episode and the key, so that a key from another page can never meet somebody else's row.
    own = uuid.uuid5(key, f"{episode.public_id}/{handout.slug}")
    return HandoutGiven.objects.filter(key=own).first() or HandoutGiven.objects.create(  # type: ignore[return-value]
        program_id=episode.program_id, patient_id=episode.patient_id, episode=episode, handout=handout.slug, title=handout.title,
        sha256=handout.sha256, by=by, at=timezone.now(), key=own,
    )  # fmt: skip
