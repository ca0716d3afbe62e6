"""What a write answers when the row is no longer the one that was read."""

from typing import Any


class Stale(Exception):
    """Somebody else has changed the row since it was read. `current` is the row as it stands now."""

    def __init__(self, current: Any) -> None:
        super().__init__("Somebody else changed this while you were working on it.")
        self.current = current
