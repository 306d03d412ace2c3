# SPDX-License-Identifier: GPL-3.0-or-later
"""Files as such: written whole or not at all, checked before they are believed."""
