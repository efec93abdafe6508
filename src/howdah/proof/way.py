"""The way to a site through a wire of our own: an ssh_config of a few lines in front of the user's own.

Of an OpenSSH configuration the first value counts. So ours sends the host (or the first of the jump hosts before it) to
the wire, keeps the name that the user's known hosts have for it, and leaves all the rest as the user wrote it.
"""

from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import asyncssh

from howdah.activities.transports.known_hosts import known_name
from howdah.activities.transports.ssh_login import MOST_JUMPS, Destination
from howdah.errors import UserError
from howdah.models.sites import Site
from howdah.testing.wire import Wire


class NoWay(Exception):
    """The site is not reached in a way that a wire can be put into. Says why."""


@dataclass(frozen=True)
class Gate:
    """What is put in front: the first host on the way, as the configuration resolves it, and the lines that make all
    that is written about it lead through the wire. `blocks` are of the hosts behind it."""

    host: str
    port: int
    name: str
    known_as: str
    blocks: tuple[str, ...] = ()

    def config(self, wire_port: int, include: Path) -> str:
        first = f"Host {self.name}\n  HostName 127.0.0.1\n  Port {wire_port}\n  HostKeyAlias {self.known_as}\n"
        return "".join((first, *self.blocks, f'Host *\n  Include "{include}"\n'))


async def through(stack: AsyncExitStack, site: Site, folder: Path) -> tuple[Site, Wire]:
    """The same site through a wire, for as long as the stack lasts. Raises: NoWay."""
    if site.ssh is None:
        raise NoWay("it is this machine: there is no connection that could be cut")
    gate = await _gate(site, Destination.parse(site.ssh))
    wire = await stack.enter_async_context(Wire(gate.port, host=gate.host))
    config = folder / "ssh_config"
    config.write_text(gate.config(wire.port, _file(site)))
    to = Destination.parse(site.ssh)
    alias = f"{to.user}@{to.host}" if to.user else to.host
    return site.model_copy(update={"ssh": alias, "ssh_config": str(config)}), wire


async def _gate(site: Site, to: Destination, *, jumps: int = 0) -> Gate:
    options = await _options(site, to)
    if options.proxy_command:
        raise NoWay("its SSH configuration has a ProxyCommand, which leads past any wire of ours")
    if not isinstance(options.tunnel, str):
        known_as = known_name(options.host, options.port, options.host_key_alias)
        return Gate(options.host, options.port, to.host, known_as)
    if jumps >= MOST_JUMPS:
        raise NoWay("its SSH configuration sends it through jump hosts in a circle")
    first, *others = [hop.strip() for hop in options.tunnel.split(",")]
    hop = Destination.parse(first.removeprefix("ssh://"))
    gate = await _gate(site, hop, jumps=jumps + 1)
    # A port beside the name of a jump host would go before ours.
    plain = f"{hop.user}@{hop.host}" if hop.user else hop.host
    lines = [f"ProxyJump {','.join((plain, *others))}", f"HostName {options.host}", f"Port {options.port}"]
    return replace(gate, blocks=(*gate.blocks, f"Host {to.host}\n" + "".join(f"  {line}\n" for line in lines)))


async def _options(site: Site, to: Destination) -> asyncssh.SSHClientConnectionOptions:
    config = [_file(site)] if _file(site).is_file() else []
    try:
        options: asyncssh.SSHClientConnectionOptions = await asyncssh.SSHClientConnectionOptions.construct(
            config=config, **to.given()
        )
        return options
    except (ValueError, OSError, asyncssh.Error) as error:
        raise UserError(
            f"The SSH configuration of site {site.name} cannot be used: {error}.",
            hint=f"see what is wrong: howdah site check {site.name}",
        ) from error


def _file(site: Site) -> Path:
    return Path(site.ssh_config or "~/.ssh/config").expanduser().absolute()
