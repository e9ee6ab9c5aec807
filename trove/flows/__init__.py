# SPDX-License-Identifier: Apache-2.0
"""FLOWS: every kind of operation, and how it is carried out."""

from trove.flows import instance_create, instance_delete, instance_restart
from trove.workflow.flow import Flow

FLOWS: dict[str, Flow] = {
    flow.kind: flow
    for flow in (instance_create.FLOW, instance_delete.FLOW, instance_restart.FLOW)
}
