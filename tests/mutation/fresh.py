"""A plugin of pytest for mutants: what the pure modules keep for the life of a process was made by the code as it is; it is made anew."""

import sys


def pytest_sessionstart() -> None:
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ("intake", "plans"):
            for function in vars(module).values():
                if hasattr(function, "cache_clear"):
                    function.cache_clear()
