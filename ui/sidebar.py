# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Bonesetter's panels stand."""


class Sidebar:
    """A panel in the 3D viewport's sidebar, in the tab Bonesetter."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Bonesetter"
