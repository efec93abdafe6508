"""How workflow code is run: isolated, so that what is not deterministic is refused, except for what is known."""

from collections.abc import Sequence

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from howdah.workers.security.missing_input import RefusesMissingInput

CONTRACT = ("howdah.models", "howdah.steps", "howdah.errors", "howdah.names")
"""Imported once and shared by all workflows: importing the models anew costs 70 ms for each workflow."""
OURS = "howdah.workflows"
"""The job types that come with howdah. Importing them anew took most of a workflow's processor time (tens of ms, more
where no bytecode can be kept); that they are deterministic the tests see to, which do without this trust."""


def workflow_runner(trusts: Sequence[str] = (*CONTRACT, OURS), *, also: Sequence[str] = ()) -> SandboxedWorkflowRunner:
    """`trusts`: modules that are imported once for all workflows; of a bundle only what it names: `also`."""
    return RefusesMissingInput(restrictions=SandboxRestrictions.default.with_passthrough_modules(*trusts, *also))
