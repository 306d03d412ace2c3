# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded motion and takes: where they are, which of them train and test, and CMU's hierarchy for all of them."""
