# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels found from motion: takes whose points have no names, or names that no marker set knows."""
