"""Sealing: the record of accesses and changes is signed, batch by batch, with a key that the web role cannot read (ADR 17).

A **seal** lists the rows that were final when it was made, as a Merkle tree; its document (number, hash of the seal before, ranges,
counts, root, time) is signed, kept in the database and appended to a copy outside. `make` seals, `verify` finds what has been
tampered with since. Everything else that is written once, such as signed plans and disclosures, is held to the change that
recorded it, so it is sealed with that.

`merkle`, `document` and `keys` know nothing of the database; `rows` reads it, `clock` numbers its transactions.
"""

from typing import NamedTuple


class SealProblem(Exception):
    """Sealing or verifying cannot go on; the message is a sentence for the person at the terminal."""


class Head(NamedTuple):
    """The newest seal: its number and the SHA-256 of its document, in hex."""

    number: int
    hash: str


def head() -> Head | None:
    """The newest seal of the database, None before the first."""
    from clinic.models import Seal

    newest = Seal.objects.order_by("-number").values_list("number", "hash").first()
    return Head(*newest) if newest else None
