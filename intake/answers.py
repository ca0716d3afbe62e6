from enum import StrEnum


class State(StrEnum):
    GIVEN = "given"
    MISSING = "missing"
    DECLINED = "declined"
    NA = "na"
