# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host for tests: its files are in a folder, and its commands say what the test wants. Nothing real is to be seen."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.kubegpu.nodes.plugins.module_utils._facts import services
from ansible_collections.kubegpu.nodes.plugins.module_utils._host import Answer, Host
from ansible_collections.kubegpu.nodes.tests.unit.plugins.module_utils._facts.folder import Folder


class FolderHost(Folder, Host):
    def __init__(self, root: Path, uid: int = 0) -> None:
        super().__init__(str(root))
        self.root = root
        self.commands: dict[str, Answer] = {}
        self.asked: list[tuple[str, ...]] = []
        self._uid = uid

    def says(self, command: str, out: str) -> None:
        self.commands[command] = Answer(0, out, "")

    def systemd_says(self, show: str) -> None:
        self.says(" ".join(services.SHOW), show)

    def runs(self, unit: str, *arguments: str) -> None:
        """A unit that systemd knows, and the command line of its program."""
        self.systemd_says(f"Names={unit}\nLoadState=loaded\nActiveState=active\nMainPID=5\n")
        self.file("/proc/5/cmdline", "\0".join(["/usr/bin/program", *arguments, ""]))

    def which(self, command: str) -> str | None:
        return command if any(said.split()[0] == command for said in self.commands) else None

    def run(self, *argv: str) -> Answer:
        self.asked.append(argv)
        return self.commands.get(" ".join(argv), Answer(127, "", "no such thing"))

    def kernel(self) -> str:
        return "6.1.0-40-amd64"

    def uid(self) -> int:
        return self._uid
