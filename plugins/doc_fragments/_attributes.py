# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: what each module says of its behaviour, in the same words everywhere."""

from __future__ import annotations


class ModuleDocFragment:
    """A module extends ``kubegpu.nodes._attributes`` and, where it fits, one of the ready pieces below."""

    # The module itself gives the support level of each of these.
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Whether the module predicts in check mode what it would do, and does nothing.
  diff_mode:
    description: Whether the module shows in diff mode what it changes, or would change in check mode.
  platform:
    description: The operating systems that the module works on.
    platforms: posix
    support: full
"""

    # A module that returns ansible_facts and changes nothing.
    FACTS = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - The module reads and never changes anything, so that check mode is the same as a real run.
  diff_mode:
    support: N/A
    details:
      - The module never changes anything.
  facts:
    description: Whether the module returns C(ansible_facts) that are kept for the host.
    support: full
"""

    # A module whose work is done on the controller by an action plugin of the same name.
    ACTION = r"""
options: {}
attributes:
  action:
    description: Whether an action plugin of the same name does part of the work on the controller.
    support: full
"""
