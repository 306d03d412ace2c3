# SPDX-License-Identifier: GPL-3.0-or-later
"""Props: rigid groups of markers that nobody wears, as objects with a location and a rotation in every frame."""
