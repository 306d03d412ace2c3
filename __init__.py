# SPDX-License-Identifier: GPL-3.0-or-later
"""Bonesetter: optical motion capture markers (C3D) to an armature."""


# Nothing is imported up here: pytest and the engine's interpreter, which have no bpy, import this package too.
def register() -> None:
    from . import operators, ui

    operators.register()
    ui.register()


def unregister() -> None:
    from . import operators, ui

    ui.unregister()
    operators.unregister()
