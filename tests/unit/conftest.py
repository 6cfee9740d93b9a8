# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the checkout importable as ansible_collections.kubegpu.nodes, through ansible-core's own collection loader.

The profile `again` is for one ansible-core after another: what random input finds does not depend on it.
"""

from __future__ import annotations

from pathlib import Path

import hypothesis
from ansible.utils.collection_loader import _collection_finder

COLLECTIONS = Path(__file__).resolve().parents[2] / "collections"

if not _collection_finder.AnsibleCollectionConfig.collection_finder:
    _collection_finder._AnsibleCollectionFinder(paths=[str(COLLECTIONS)])._install()

hypothesis.settings.register_profile("again", hypothesis.settings.get_profile("ci"), max_examples=20)
