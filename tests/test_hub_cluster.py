"""The values for a cluster, against what the chart and Kubernetes take."""

from __future__ import annotations

from typing import Any

import yaml
from support.host import REPO

from labsetup.hub import spawning
from labsetup.hub.settings import MINE

FOLDER = REPO / "labsetup" / "hub"

# What the chart's schema (jupyterhub/values.schema.yaml of zero-to-jupyterhub-k8s, which allows no
# other key) has in the places that values.yaml uses.
SCHEMA = {
    "": {"hub", "singleuser", "cull"},
    "hub": {"config"},
    "singleuser": {
        *("image", "cmd", "defaultUrl", "startTimeout", "extraPodConfig", "cpu", "memory"),
        *("uid", "fsGid", "storage", "cloudMetadata", "networkPolicy"),
    },
    "singleuser.image": {"name", "tag", "pullPolicy", "pullSecrets"},
    "singleuser.cpu": {"limit", "guarantee"},
    "singleuser.memory": {"limit", "guarantee"},
    "singleuser.storage": {"type", "capacity", "homeMountPath", "dynamic", "static"},
    "singleuser.cloudMetadata": {"blockWithIptables", "ip"},
    "singleuser.networkPolicy": {"enabled", "egress", "ingress", "egressAllowRules"},
    "cull": {"enabled", "timeout", "every", "maxAge"},
}
# Of the Kubernetes API's SecurityContext and PodSpec.
SECURITY = {"runAsUser", "runAsGroup", "allowPrivilegeEscalation", "capabilities"}


def test_the_clusters_values_have_the_charts_keys():
    values = yaml.safe_load((FOLDER / "kubernetes" / "values.yaml").read_text())
    for place, allowed in SCHEMA.items():
        found: Any = values
        for key in filter(None, place.split(".")):
            found = found[key]
        assert found.keys() <= allowed, place
    pod = values["singleuser"]
    assert pod["extraPodConfig"].keys() == {"runtimeClassName"}
    assert (pod["uid"], pod["cmd"], pod["storage"]["homeMountPath"]) == (0, ["start"], MINE)
    context = values["hub"]["config"]["KubeSpawner"]["container_security_context"]
    assert context.keys() == SECURITY
    assert context["capabilities"] == {"drop": ["ALL"], "add": spawning.CAPABILITIES}
