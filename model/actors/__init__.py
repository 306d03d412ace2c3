# SPDX-License-Identifier: GPL-3.0-or-later
"""The people who were captured: skeletons, actors and their files, other hierarchies, and what is known of people beforehand."""
