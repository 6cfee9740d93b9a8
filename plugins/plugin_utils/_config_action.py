# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PRIVATE to the collection: an action that reads a file of the host, lets a merge decide, and writes what differs."""

from __future__ import annotations

import base64
import hashlib
import re
import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError

if t.TYPE_CHECKING:
    from ansible_collections.kubegpu.nodes.plugins.plugin_utils._merge.result import Merged

Data = dict[str, t.Any]

# The options that every action on a file of others has.
ARGUMENT_SPEC: Data = {
    "path": {"type": "path", "required": True},
    "known_text": {"type": "str"},
    "known_sha256": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "validate": {"type": "str"},
}


def proven(text: str | None, sha256: str | None) -> bool:
    """Whether the known text is the file, by its digest. Nothing proves that a file is still missing."""
    if not text or not sha256:
        return False
    return hashlib.sha256(text.encode("utf-8", errors="surrogateescape")).hexdigest() == sha256


def diff_of(path: str, before: str, after: str, reasons: list[str], secret: re.Pattern[str]) -> Data:
    """Texts that hold credentials are told of in words only."""
    if secret.search(before):
        words = "".join(f"  {reason}\n" for reason in reasons)
        return {"prepared": f"{path} (it holds credentials, so its text is not shown):\n{words}"}
    return {"before_header": path, "after_header": path, "before": before, "after": after}


class ConfigAction(ActionBase):  # type: ignore[misc]  # ansible-core ships no types
    """Subclasses give SPEC, SECRET and merged(); nothing reaches the host when the text is known and right."""

    SPEC: t.ClassVar[Data] = {}
    SECRET: t.ClassVar[re.Pattern[str]]  # what texts look like that are not to be shown
    TRANSFERS_FILES = True
    _supports_check_mode = True
    _supports_diff = True

    def merged(self, text: str, arguments: Data) -> tuple[Merged, Data]:
        """What the file should be, and further return values. Raises KubeGpuError to refuse."""
        raise NotImplementedError

    def run(self, tmp: t.Any = None, task_vars: Data | None = None) -> Data:
        result: Data = super().run(tmp, task_vars)
        del tmp
        _validated, arguments = self.validate_argument_spec(argument_spec={**ARGUMENT_SPEC, **self.SPEC})
        path = arguments["path"]
        try:
            text = self._text(arguments, task_vars or {})
            merge, more = self.merged(text or "", arguments)
            if merge.changed and not self._task.check_mode:
                more["backup_file"] = self._write(merge.text, text is None, arguments, task_vars or {})
        except KubeGpuError as exc:
            return {**result, "failed": True, "msg": f"{path} {exc}", "path": path, **exc.details}
        result.update(
            changed=merge.changed,
            differs=merge.changed,
            effective=merge.effective,
            reasons=merge.reasons,
            path=path,
            **more,
        )
        if merge.changed and self._task.diff:
            result["diff"] = diff_of(path, text or "", merge.text, merge.reasons, self.SECRET)
        return result

    def _text(self, arguments: Data, task_vars: Data) -> str | None:
        """The file's text; None: there is no such file."""
        known = arguments["known_text"]
        if proven(known, arguments["known_sha256"]):
            return t.cast(str, known)
        path = arguments["path"]
        stat = self._execute_remote_stat(path, all_vars=task_vars, follow=True, checksum=False)
        if not stat["exists"]:
            return None
        answer = self._execute_module("ansible.builtin.slurp", {"src": path}, task_vars=task_vars)
        if answer.get("failed"):
            raise KubeGpuError(f"cannot be read: {answer.get('msg')}")
        try:
            return base64.b64decode(answer["content"]).decode("utf-8")
        except UnicodeDecodeError as exc:
            raise KubeGpuError(f"is not UTF-8 (byte {exc.start}); correct it, nothing was touched") from exc

    def _write(self, text: str, new: bool, arguments: Data, task_vars: Data) -> str | None:
        """Through the copy action: atomically, owner and mode kept, the old file kept beside the new."""
        task = self._task.copy()
        task.diff = False
        task.args = {"content": text, "dest": arguments["path"], "backup": True, "follow": True}
        if new:
            task.args.update(owner="root", group="root", mode="0644")
        if arguments["validate"]:
            task.args["validate"] = arguments["validate"]
        copy = self._shared_loader_obj.action_loader.get(
            "ansible.builtin.copy",
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        answer = copy.run(task_vars=task_vars)
        if answer.get("failed"):
            words = " ".join(str(answer.get(key) or "").strip() for key in ("msg", "stderr", "exit_status"))
            raise KubeGpuError(f"could not be written, and is as it was: {words.strip()}")
        return t.cast("str | None", answer.get("backup_file"))
