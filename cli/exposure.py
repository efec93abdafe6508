"""What others can see and do: findings of `howdah doctor`."""

from howdah.cli.answers import Finding
from howdah.workers.connection import Connection
from howdah.workers.security.protection import Protection, protection_of

LOCK = "make a key, and what the server keeps is sealed: howdah key new; see docs/security.md"


def exposure(connection: Connection) -> list[Finding]:
    told = protection_of(connection.client)
    return [*([_other_users(told)] if connection.embedded else []), _legible(told, embedded=connection.embedded)]


def _other_users(told: Protection) -> Finding:
    if not told.signed:
        return Finding(
            name="exposure",
            ok=True,
            warning=True,
            found="the embedded server was started by an earlier release, and nothing is signed: whoever has an "
            "account on this machine can run commands through it as you",
            hint="howdah down; howdah up",
        )
    return Finding(
        name="exposure",
        ok=True,
        warning=True,
        found="the embedded server asks nobody for a password: whoever has an account on this machine can look into "
        "experiments, end them, or have them run again as you wrote them. Nothing else is run: workers refuse what "
        "does not bear your signature",
        hint="where that is too much, use a Temporal server with authentication: TEMPORAL_ADDRESS",
    )


def _legible(told: Protection, *, embedded: bool) -> Finding:
    if told.sealed_with:
        return Finding(name="seal", ok=True, found=f"what the server keeps is sealed with key {told.sealed_with}")
    who = "whoever can reach the server" if embedded else "whoever may read the namespace, and who runs the server,"
    return Finding(
        name="seal",
        ok=True,
        warning=not embedded,
        found=f"what the server keeps is legible: {who} can read commands, variables and paths of experiments",
        hint=LOCK,
    )
