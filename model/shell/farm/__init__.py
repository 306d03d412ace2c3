# SPDX-License-Identifier: GPL-3.0-or-later
"""Shoots that one machine is not enough for, as jobs of the farm managers that studios have."""
