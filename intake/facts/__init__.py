"""Everything known about the person as one flat mapping; None is unknown. Names as in section 0 of the specification."""

from intake.facts.names import CLASSES, FACTS, INSTRUMENTS, Fact, ask

__all__ = ["CLASSES", "FACTS", "INSTRUMENTS", "Fact", "ask"]
