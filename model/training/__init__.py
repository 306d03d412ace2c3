# SPDX-License-Identifier: GPL-3.0-or-later
"""How the bundled weights are made: the prior, from recorded motion, and the network that proposes poses, from synthetic takes."""
