# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks, one module each.

A new one is a new file here: a torch module `(shape, **options)` under `@network("its name")`.
"""

from importlib import import_module
from pkgutil import iter_modules

from .registry import Shape, build, network

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["Shape", "build", "network"]
