#!/usr/bin/python
# Copyright (c) 2026, the kubegpu.nodes authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels, annotations and taints of many nodes in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_node_label
short_description: Labels, annotates and taints Kubernetes nodes, many in one call
version_added: 0.1.0
description:
  - Brings labels, annotations and taints of nodes to what is wanted, with one paged LIST and one PATCH for each node
    that differs. On a cluster where nothing differs it does not write.
  - Keys of others are never touched. Touched are the keys that are named, those under O(purge_prefixes), and those that
    an earlier call with the same O(owner) has set.
  - A node that is not in the cluster is named in the failure at the end; the others are done all the same.
  - With nothing wanted it only reads, and with no O(nodes) it returns all nodes of the cluster.
  - Runs where the kubeconfig is, so usually with C(delegate_to=localhost) and C(run_once=true).
options:
  nodes:
    description:
      - The nodes and what they should carry. Not given, all nodes are read and nothing is changed.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the node.
        type: str
        required: true
      labels:
        description:
          - Labels as a dictionary. Booleans and numbers become text, V(true) becomes C(true).
          - With O(state=absent) only the keys count.
        type: dict
        default: {}
      annotations:
        description: Annotations as a dictionary, as for O(nodes[].labels).
        type: dict
        default: {}
      taints:
        description: Taints; one is known by its key and effect.
        type: list
        elements: dict
        default: []
        suboptions:
          key:
            description: Key of the taint.
            type: str
            required: true
          value:
            description: Value of the taint.
            type: str
            default: ''
          effect:
            description:
              - Effect of the taint.
              - Needed with O(state=present); with O(state=absent) leaving it out means all effects.
            type: str
            choices: [NoSchedule, PreferNoSchedule, NoExecute]
      keep:
        description:
          - Keys of labels that stay as they are on this node, whether they are there or not, because what they should
            say is not known now. Without this they would be removed as no longer wanted.
          - Ignored with O(state=absent).
        type: list
        elements: str
        default: []
  state:
    description:
      - V(present) sets what is named in O(nodes) and removes what is ours and no longer named.
      - V(absent) removes what is named in O(nodes) and all that is ours.
    type: str
    choices: [present, absent]
    default: present
  purge_prefixes:
    description:
      - Beginnings of label keys that are ours on the nodes named, for example V(example.com/). Labels
        that begin so and are not wanted are removed, whoever has set them.
    type: list
    elements: str
  owner:
    description:
      - A DNS name under which the module keeps, on each node, which keys it has set itself, in the annotations
        C(<owner>/owned-labels), C(<owner>/owned-annotations) and C(<owner>/owned-taints).
      - Keys recorded there are ours. A key that already had the wanted value when we came is not recorded, and so
        never removed.
      - When empty, nothing is recorded, and only named keys and O(purge_prefixes) count.
    type: str
    default: ''
  purge_owned:
    description:
      - Whether with O(state=present) keys that O(owner) has recorded and that are no longer wanted are removed.
    type: bool
    default: true
  leave_to:
    description:
      - Names of annotations in which another labeller lists the label keys it manages, separated by commas. Those keys
        are left to it even when they are named or recorded here, and are returned in RV(nodes) as C(left_to_others).
      - Node Feature Discovery, which writes the labels of NVIDIA's GPU Feature Discovery, uses
        C(nfd.node.kubernetes.io/feature-labels).
    type: list
    elements: str
    default: []
  page_size:
    description: How many nodes to ask for in one LIST request.
    type: int
    default: 500
  workers:
    description: How many nodes are patched at the same time.
    type: int
    default: 8
extends_documentation_fragment:
  - kubegpu.nodes._attributes
  - kubegpu.nodes._kubeconfig
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - The diff holds the nodes that change, and of them only the keys that change.
  platform:
    platforms: posix
notes:
  - The rights that are needed, and no more, are in C(playbooks/files/rbac.yml) of the collection.
seealso:
  - module: kubernetes.core.k8s_taint
author:
  - kubegpu.nodes authors (@kubegpu)
"""

EXAMPLES = r"""
- name: Label two nodes and keep a record of what we set
  kubegpu.nodes.gpu_node_label:
    owner: kubegpu.io
    nodes:
      - name: worker-1
        labels: {gpu: true, nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3}
      - name: worker-2
        labels: {gpu: true}
        taints:
          - {key: nvidia.com/gpu, value: present, effect: NoSchedule}
  delegate_to: localhost
  run_once: true

- name: Remove everything that we have set on a node
  kubegpu.nodes.gpu_node_label:
    owner: kubegpu.io
    state: absent
    nodes:
      - name: worker-1
  delegate_to: localhost
  run_once: true

- name: Read how many GPUs the nodes offer
  kubegpu.nodes.gpu_node_label:
  delegate_to: localhost
  run_once: true
  register: cluster
"""

RETURN = r"""
nodes:
  description: The nodes named that are in the cluster, or all, by name, as they are after the call.
  returned: always
  type: dict
  sample:
    worker-1:
      changed: true
      labels: {gpu: "true"}
      annotations: {kubegpu.io/owned-labels: gpu}
      taints: []
      left_to_others: []
      allocatable: {cpu: "64", nvidia.com/gpu: "8"}
      capacity: {cpu: "64", nvidia.com/gpu: "8"}
      ready: true
      unschedulable: false
missing:
  description: Names that are not in the cluster. If there are any, the module fails after the others were done.
  returned: always
  type: list
  elements: str
  sample: []
refused:
  description: Nodes that could not be changed, with the reason.
  returned: always
  type: dict
  sample: {}
requests:
  description: How many requests were sent to the API server, by verb, and how many of them it put off with 429.
  returned: always
  type: dict
  sample: {list: 2, get: 0, patch: 10, throttled: 0}
"""

import os
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.kubegpu.nodes.plugins.module_utils import _cluster, _kubeconfig
from ansible_collections.kubegpu.nodes.plugins.module_utils._errors import KubeGpuError
from ansible_collections.kubegpu.nodes.plugins.module_utils._node_labels import (
    Node,
    Plan,
    Rules,
    Wish,
    node_from_api,
    plan,
)
from ansible_collections.kubegpu.nodes.plugins.module_utils._node_rules import EFFECTS, as_text, key_problem, problems

TAINT_SPEC = {
    "key": {"type": "str", "required": True, "no_log": False},
    "value": {"type": "str", "default": ""},
    "effect": {"type": "str", "choices": list(EFFECTS)},
}
NODE_SPEC = {
    "name": {"type": "str", "required": True},
    "labels": {"type": "dict", "default": {}},
    "annotations": {"type": "dict", "default": {}},
    "taints": {"type": "list", "elements": "dict", "default": [], "options": TAINT_SPEC},
    "keep": {"type": "list", "elements": "str", "default": []},
}
ARGUMENT_SPEC: dict[str, t.Any] = {
    "nodes": {"type": "list", "elements": "dict", "options": NODE_SPEC},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "purge_prefixes": {"type": "list", "elements": "str"},
    "owner": {"type": "str", "default": ""},
    "purge_owned": {"type": "bool", "default": True},
    "leave_to": {"type": "list", "elements": "str", "default": []},
    "page_size": {"type": "int", "default": 500},
    "workers": {"type": "int", "default": 8},
    **_kubeconfig.ARGUMENT_SPEC,
}

CONFLICTS = 5  # how often a node may change under our hands before we give up


class Done(t.NamedTuple):
    """What became of one node: as it was last read, its last plan, and why that could not be carried out."""

    node: Node
    plan: Plan
    error: KubeGpuError | None = None


def wishes_of(params: t.Mapping[str, t.Any]) -> dict[str, Wish]:
    """What is wanted, by node; everything that Kubernetes would refuse is refused here, all of it at once."""
    wishes: dict[str, Wish] = {}
    wrong: list[str] = []
    for node in params["nodes"] or []:
        wish = Wish(_texts(node["labels"]), _texts(node["annotations"]), node["taints"], frozenset(node["keep"]))
        if node["name"] in wishes:
            wrong.append(f"node {node['name']} is named twice.")
        wrong += problems(node["name"], wish, params["state"], params["owner"])
        wishes[node["name"]] = wish
    wrong += _wrong_options(params)
    if wrong:
        raise KubeGpuError("Nothing was changed: " + " ".join(wrong))
    return wishes


def _texts(values: t.Mapping[t.Any, t.Any]) -> dict[str, str]:
    return {as_text(key): as_text(value) for key, value in values.items()}


def _wrong_options(params: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    if params["owner"] and key_problem(f"{params['owner']}/owned-annotations"):
        yield f"owner '{params['owner']}' is not a lower-case DNS name."
    if not all(params["purge_prefixes"] or []):
        yield "an empty purge prefix would remove every label."
    for name in ("page_size", "workers"):
        if params[name] < 1:
            yield f"{name} must be at least 1."


def run(params: t.Mapping[str, t.Any], cluster: _cluster.Cluster, check_mode: bool) -> dict[str, t.Any]:
    wishes = wishes_of(params)
    rules = Rules(
        params["state"],
        tuple(params["purge_prefixes"] or ()),
        params["owner"],
        params["purge_owned"],
        tuple(params["leave_to"]),
    )
    one = next(iter(wishes)) if len(wishes) == 1 else ""
    found = [node_from_api(each) for each in cluster.nodes(params["page_size"], one)]
    if params["nodes"] is None:
        planned = [Done(node, plan(node, Wish({}, {}, []), Rules())) for node in found]
    else:
        planned = [Done(node, plan(node, wishes[node.name], rules)) for node in found if node.name in wishes]
    if not check_mode:
        planned = apply(cluster, planned, wishes, rules, params["workers"])
    return answer(planned, wishes, cluster)


def apply(
    cluster: _cluster.Cluster, planned: list[Done], wishes: t.Mapping[str, Wish], rules: Rules, workers: int
) -> list[Done]:
    """Patch what differs, several nodes at a time; once we are denied, the rest is not even tried."""
    denied: list[KubeGpuError] = []

    def one(step: Done) -> Done:
        if not step.plan.changed:
            return step
        if denied:
            return step._replace(error=denied[0])
        done = patched(cluster, step, wishes[step.node.name], rules)
        if isinstance(done.error, _cluster.DeniedError):
            denied.append(done.error)
        return done

    with ThreadPoolExecutor(max_workers=workers) as pool:
        return list(pool.map(one, planned))


def patched(cluster: _cluster.Cluster, step: Done, wish: Wish, rules: Rules) -> Done:
    """Patch one node; if it changed since it was read, read it again and decide again."""
    error: KubeGpuError | None = None
    for _attempt in range(CONFLICTS):
        try:
            if step.plan.changed:
                cluster.patch_node(step.node.name, step.plan.body(step.node.resource_version))
            return step
        except _cluster.ConflictError as exc:
            error = exc
        except KubeGpuError as exc:
            return step._replace(error=exc)
        try:
            node = node_from_api(cluster.node(step.node.name))
        except KubeGpuError as exc:
            return step._replace(error=exc)
        step = Done(node, plan(node, wish, rules))
    return step._replace(error=error)


def answer(done: list[Done], wishes: t.Mapping[str, Wish], cluster: _cluster.Cluster) -> dict[str, t.Any]:
    """The module's result; ``msg`` is in it only if something went wrong."""
    gone = {each.node.name for each in done if isinstance(each.error, _cluster.NotFoundError)}
    missing = sorted((set(wishes) - {each.node.name for each in done}) | gone)
    refused = {each.node.name: str(each.error) for each in done if each.error and each.node.name not in gone}
    changing = {each.node.name: each.plan.diff() for each in done if each.plan.changed and not each.error}
    result = {
        "changed": bool(changing),
        "nodes": {each.node.name: _shown(each) for each in done if each.node.name not in gone},
        "missing": missing,
        "refused": refused,
        "requests": cluster.requests,
        "diff": {
            "before": {name: before for name, (before, after) in changing.items()},
            "after": {name: after for name, (before, after) in changing.items()},
        },
    }
    complaint = complain(missing, refused, len(wishes), cluster.server)
    return {**result, "msg": complaint} if complaint else result


def _shown(done: Done) -> dict[str, t.Any]:
    state = done.plan.before if done.error else done.plan.after
    node = done.node
    return {
        "changed": done.plan.changed and not done.error,
        **state,
        "left_to_others": done.plan.left_to_others,
        "allocatable": node.allocatable,
        "capacity": node.capacity,
        "ready": node.ready,
        "unschedulable": node.unschedulable,
    }


def complain(missing: list[str], refused: t.Mapping[str, str], wanted: int, server: str) -> str:
    """What went wrong, the same reason said once; how far the rest came."""
    said = []
    if missing:
        said.append(
            f"Not in the cluster at {server}: {_listed(missing)}. Has the host joined, and is this its node name?"
        )
    by_reason: dict[str, list[str]] = {}
    for name, reason in sorted(refused.items()):
        by_reason.setdefault(reason, []).append(name)
    said += [f"Not changed: {_listed(names)}. {reason}" for reason, names in by_reason.items()]
    others = wanted - len(missing) - len(refused)
    if said and others:
        said.append(f"The other nodes ({others}) are not affected.")
    return " ".join(said)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    if _cluster.KUBERNETES_IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("kubernetes"), exception=_cluster.KUBERNETES_IMPORT_ERROR)
    params = module.params
    try:
        wishes_of(params)  # what is wrong in the call is said before a kubeconfig is even looked for
        access = _kubeconfig.read(params["kubeconfig"], params["context"], os.environ)
        result = run(params, _cluster.connect(access, params["workers"]), module.check_mode)
    except KubeGpuError as exc:
        module.fail_json(msg=str(exc), **exc.details)
    if "msg" in result:
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
