# SPDX-License-Identifier: GPL-3.0-or-later
"""Solved takes as pages that people read in a browser: HTML that loads nothing from elsewhere. Numpy alone, as Blender has it."""

#: What the page is called that leads to all others of its folder: no take can be called so.
INDEX = "index.html"
