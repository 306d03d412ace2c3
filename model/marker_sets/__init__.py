# SPDX-License-Identifier: GPL-3.0-or-later
"""Marker sets: which labels a lab uses and where on the body each sits. One JSON file a set, and their reader."""
