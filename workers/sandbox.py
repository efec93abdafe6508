"""How workflow code is run: isolated, so that what is not deterministic is refused, except for the contract."""

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

CONTRACT = ("howdah.models", "howdah.steps", "howdah.errors", "howdah.names")
"""Imported once and shared by all workflows: importing the models anew costs 70 ms for each workflow."""


def workflow_runner() -> SandboxedWorkflowRunner:
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*CONTRACT))
