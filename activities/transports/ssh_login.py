"""From the name of a site to a connection: the user's own OpenSSH configuration, strict host keys, plain errors."""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import asyncssh

from howdah.activities.transports.credentials import credential_files, reasons
from howdah.activities.transports.doorkeeper import Doorkeeper, Untrusted, refused
from howdah.activities.transports.known_hosts import KnownHosts, files_of, known_name
from howdah.errors import CredentialsRefused, HostKeyRefused, SiteError, SiteUnreachable
from howdah.models.causes import FailureCause
from howdah.models.sites import Site

CIPHERS = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"
"""First choice when the configuration has none: twice as fast as asyncssh's own."""
MOST_JUMPS = 8
"""A `Host *` with a ProxyJump sends even the jump host through itself."""


@dataclass(frozen=True)
class Timing:
    """Seconds. A connection that is silent for `keepalive` times `keepalives` is dead."""

    keepalive: float = 15.0
    keepalives: int = 3
    connect: float = 30.0
    login: float = 30.0
    crowded: float = 60.0
    """How long to wait for one of the sessions that the server allows at once."""


@dataclass(frozen=True)
class Destination:
    """Where to: a Host of the configuration or a host name, with what was written around it."""

    host: str
    user: str | None = None
    port: int | None = None

    @classmethod
    def parse(cls, written: str) -> "Destination":
        """`host`, `user@host`, `host:port`, `user@host:port`; a bare IPv6 address has no port."""
        user, _, rest = written.rpartition("@")
        with_port = re.fullmatch(r"([^:]+):(\d{1,5})", rest)
        host, port = (with_port[1], int(with_port[2])) if with_port else (rest, None)
        return cls(host, user or None, port)

    def given(self) -> dict[str, Any]:
        told = {"host": self.host, "username": self.user, "port": self.port}
        return {name: value for name, value in told.items() if value is not None}


async def log_in(site: Site, timing: Timing) -> asyncssh.SSHClientConnection:
    """Connect and log in. Raises: SiteUnreachable, CredentialsRefused, HostKeyRefused, SiteError (configuration)."""
    try:
        return await reach(site, Destination.parse(site.ssh or ""), timing)
    except Untrusted as error:
        raise refused(error.presented, site.name) from error


async def credential_sources(site: Site) -> tuple[Path, ...]:
    """The files that decide whether a login works: when one changes, trying again is worth it."""
    config = _config_file(site)
    try:
        options = await _options(site, Destination.parse(site.ssh or ""))
    except SiteError:
        return (config,)
    return (config, *known_files(options)[0], *(path for paths in credential_files(options) for path in paths))


async def reach(
    site: Site, to: Destination, timing: Timing, *, tunnel: Any = None, probing: bool = False, jumps: int = 0
) -> asyncssh.SSHClientConnection:
    """Connect to one host, through its jump hosts, each as strictly as the last. Raises Untrusted, too."""
    options = await _options(site, to)
    if tunnel is None and isinstance(options.tunnel, str):
        tunnel = await _through(site, options.tunnel, timing, jumps)
    keeper = await asyncio.to_thread(_keeper, options, probing)
    try:
        connection = await _connect(site, to, timing, options, keeper, tunnel)
    except BaseException as error:
        if tunnel is not None:
            tunnel.close()
        if not isinstance(error, Exception):
            raise
        _raise_told(error, site, options, keeper)
    if tunnel is not None:
        connection.set_tunnel(tunnel)
    return connection


async def _through(site: Site, hosts: str, timing: Timing, jumps: int) -> Any:
    """asyncssh would follow ProxyJump by itself, but trust what the configuration says about host keys."""
    if jumps >= MOST_JUMPS:
        raise SiteError(
            f"The SSH configuration sends site {site.name} through jump hosts in a circle ({hosts}).",
            cause=FailureCause.CONFIGURATION,
            hint="exempt the jump host itself from ProxyJump, e.g. with ProxyJump none",
        )
    tunnel: Any = None
    for hop in hosts.split(","):
        hop_to = Destination.parse(hop.strip().removeprefix("ssh://"))
        tunnel = await reach(site, hop_to, timing, tunnel=tunnel, jumps=jumps + 1)
    return tunnel


async def _options(site: Site, to: Destination) -> asyncssh.SSHClientConnectionOptions:
    try:
        options: asyncssh.SSHClientConnectionOptions = await asyncssh.SSHClientConnectionOptions.construct(
            config=_config(site), **to.given()
        )
        return options
    except asyncssh.KeyEncryptionError as error:
        raise CredentialsRefused(
            f"A key for site {site.name} is encrypted: {error}.", hint="let an SSH agent hold it: ssh-add"
        ) from error
    except (ValueError, OSError, asyncssh.Error) as error:
        raise SiteError(
            f"The SSH configuration of site {site.name} cannot be used: {error}.",
            cause=FailureCause.CONFIGURATION,
            hint=f"mend {site.ssh_config or '~/.ssh/config'}, then: howdah site check {site.name}",
        ) from error


def _config(site: Site) -> Any:
    """Empty lets asyncssh look for ~/.ssh/config, which need not exist."""
    return [_config_file(site)] if site.ssh_config else ()


def _config_file(site: Site) -> Path:
    return Path(site.ssh_config or "~/.ssh/config").expanduser()


def _keeper(options: asyncssh.SSHClientConnectionOptions, probing: bool) -> Doorkeeper:
    user, system = known_files(options)
    name = known_name(options.host, options.port, options.host_key_alias)
    return Doorkeeper(name, KnownHosts.read([*user, *system]), file=next(iter(user), None), probing=probing)


def known_files(options: asyncssh.SSHClientConnectionOptions) -> tuple[list[Path], list[Path]]:
    config = options.config
    return files_of(config.get("UserKnownHostsFile"), config.get("GlobalKnownHostsFile"))


async def _connect(
    site: Site,
    to: Destination,
    timing: Timing,
    options: asyncssh.SSHClientConnectionOptions,
    keeper: Doorkeeper,
    tunnel: Any,
) -> asyncssh.SSHClientConnection:
    return await asyncssh.connect(
        **to.given(),
        config=_config(site),
        tunnel=tunnel or (),
        client_factory=lambda: keeper,
        known_hosts=keeper.trusted,
        connect_timeout=_shorter(timing.connect, options.connect_timeout),
        login_timeout=timing.login,
        keepalive_interval=_shorter(timing.keepalive, options.config.get("ServerAliveInterval")),
        keepalive_count_max=timing.keepalives,
        agent_forwarding=False,
        x11_forwarding=False,
        request_pty=False,
        **_preferences(options, keeper),
    )


def _preferences(options: asyncssh.SSHClientConnectionOptions, keeper: Doorkeeper) -> dict[str, Any]:
    """What we would like, where the configuration says nothing."""
    preferred: dict[str, Any] = {}
    if not options.config.get("Ciphers"):
        preferred["encryption_algs"] = CIPHERS
    if not options.config.get("HostKeyAlgorithms") and (algorithms := keeper.algorithms()):
        preferred["server_host_key_algs"] = list(algorithms)
    return preferred


def _shorter(ours: float, theirs: object) -> float:
    return min(ours, float(theirs)) if isinstance(theirs, int | float) and theirs > 0 else ours


def _raise_told(
    error: Exception, site: Site, options: asyncssh.SSHClientConnectionOptions, keeper: Doorkeeper
) -> NoReturn:
    """Say an error of the network or of asyncssh in our words."""
    where = f"site {site.name} ({options.username}@{options.host}, port {options.port})"
    told = _words(error)
    match error:
        case asyncssh.HostKeyNotVerifiable() if keeper.presented:
            raise Untrusted(keeper.presented) from error
        case asyncssh.HostKeyNotVerifiable():
            raise HostKeyRefused(f"The host certificate of {where} is not trusted: {told}.") from error
        case asyncssh.PermissionDenied() | asyncssh.IllegalUserName():
            raise _refusal(where, site, told, options) from error
        case asyncssh.DisconnectError() if "authentication failures" in told:
            raise _refusal(where, site, told, options) from error
        case asyncssh.KeyExchangeFailed() | asyncssh.ProtocolNotSupported():
            raise SiteError(
                f"No common SSH language with {where}: {told}.", cause=FailureCause.CONFIGURATION
            ) from error
        case OSError() | asyncssh.Error():
            raise SiteUnreachable(f"Cannot connect to {where}: {told}.") from error
        case _:
            raise error


def _refusal(where: str, site: Site, told: str, options: asyncssh.SSHClientConnectionOptions) -> CredentialsRefused:
    because = " ".join([told.rstrip(".") + ".", *reasons(options)])
    return CredentialsRefused(
        f"The login at {where} was refused: {because}",
        hint=f"renew the key, certificate or ticket, or ssh-add it; then: howdah site check {site.name}",
    )


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError) and not error.args:
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).rstrip(".") or type(error).__name__
