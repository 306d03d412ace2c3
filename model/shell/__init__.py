# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: its commands, and what a run over several takes does."""
