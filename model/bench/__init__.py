# SPDX-License-Identifier: GPL-3.0-or-later
"""Our solver, the study's networks and other programs on the same takes, in one table."""
