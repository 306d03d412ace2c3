# SPDX-License-Identifier: GPL-3.0-or-later
"""The second half of the solver: bones, marker places and poses fitted to the markers by Gauss-Newton."""
