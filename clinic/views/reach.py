"""Opening a row of the URL: in reach and audited, or the same 404 as a row that does not exist."""

import uuid

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from clinic import audit
from clinic.models import Episode


def open_episode(request: HttpRequest, episode_id: uuid.UUID, *, audited: bool = True) -> Episode:
    """The episode of the URL with its patient and program, read for this view's declared action; the read is audited."""
    episodes = Episode.objects.visible_to(request.user, request.action)  # type: ignore[attr-defined, arg-type]
    episode = get_object_or_404(episodes.select_related("patient", "program"), public_id=episode_id)
    if audited:
        audit.read(request, episode.patient)
    return episode
