"""A Merkle tree as in RFC 6962, section 2.1: one hash for many rows, and any single row can be proved to be under it."""

import hashlib
from collections.abc import Sequence

SIZE = hashlib.sha256().digest_size
LEAF, NODE = b"\x00", b"\x01"  # so that no row can be passed off as a node, nor a node as a row


def leaf(content: bytes) -> bytes:
    return hashlib.sha256(LEAF + content).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The hash over all leaves in their order; that of no leaves is the hash of nothing."""
    level = list(leaves)
    if not level:
        return hashlib.sha256().digest()
    while len(level) > 1:
        pairs = [hashlib.sha256(NODE + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[len(pairs) * 2 :]  # the odd one goes up as it is
    return level[0]
