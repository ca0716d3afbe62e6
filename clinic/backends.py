"""Who is logged in, read once a request: the person, their roles and whether they have a second factor in one query."""

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef
from django.db.models.functions import JSONObject

from clinic.accounts import OneAccount
from clinic.models import Membership, User


class Backend(OneAccount):
    """Log-in is OneAccount's; this reads who it was on every page after it."""

    def get_user(self, user_id: int) -> User | None:
        """Whoever the session names, with `held_roles` and `has_second_factor`, unless the account has been switched off."""
        from allauth.mfa.models import Authenticator

        here = {"user": OuterRef("pk")}
        roles = Membership.objects.filter(**here).values(held=JSONObject(program="program_id", role="role"))
        rights = {"held_roles": ArraySubquery(roles), "has_second_factor": Exists(Authenticator.objects.filter(**here))}
        user = User.objects.annotate(**rights).filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None
