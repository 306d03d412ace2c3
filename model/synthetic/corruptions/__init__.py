# SPDX-License-Identifier: GPL-3.0-or-later
"""What cameras, straps and labelling do to markers: one module for each corruption.

A new one is a new file here: a function `(take, random, *, parameters with defaults) -> Take` under `@corruption("its name")`.
"""

from importlib import import_module
from pkgutil import iter_modules

from .registry import Recipe, corrupt, corruption

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["Recipe", "corrupt", "corruption"]
