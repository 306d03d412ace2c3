# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of networks that turn markers into joints, on markers made out of skeleton motion."""
