"""The accounting of a private Slurm: slurmdbd over a MariaDB that only it can reach, below a folder of one's own.

The database has a socket and no port, no users and no passwords, and does not wait for any disk: it is there in half
a second, and nothing of the machine's own services is needed or touched.
"""

import os
import pwd
import socket
import subprocess
from pathlib import Path

from howdah.testing.daemons import PATH, Daemons, missing_packages, until
from howdah.workers.embedded.ports import free_port

_PROGRAMS = {"slurmdbd": "slurmdbd", "mariadbd": "mariadb-server-core", "sacctmgr": "slurm-wlm"}
_SYSTEM_TABLES = Path("/usr/share/mysql/mysql_system_tables.sql")
_PLUGIN = "/usr/lib/*/slurm*/accounting_storage_mysql.so"
_SMALL_AND_QUICK = {
    "innodb-buffer-pool-size": "16M",
    "innodb-log-file-size": "8M",
    "innodb-flush-log-at-trx-commit": "0",
    "innodb-flush-method": "nosync",
    "innodb-use-native-aio": "0",  # io_uring takes locked memory, of which one may have only so much
    "innodb-lock-wait-timeout": "900",  # as slurmdbd wants it
    "aria-log-file-size": "8M",
    "aria-pagecache-buffer-size": "1M",
    "key-buffer-size": "1M",
    "performance-schema": "OFF",
}


class PrivateAccounting:
    """Of the Slurm whose configuration lies in `folder`. `sockets` is a folder with a short path.

    It may be stopped and started again: what it knows stays. Records of the time between are sent by the controller
    as soon as it is back.
    """

    def __init__(self, folder: Path, sockets: Path, daemons: Daemons) -> None:
        self.folder, self.sockets, self.daemons = folder, sockets, daemons
        self.port = free_port()

    @staticmethod
    def missing() -> str:
        """What to install, or nothing when all is there."""
        plugin = any(Path("/").glob(_PLUGIN.removeprefix("/")))
        found = missing_packages(_PROGRAMS)
        return found if found or plugin else "install the Debian packages slurm-wlm-mysql-plugin"

    @property
    def options(self) -> dict[str, str]:
        """The lines of slurm.conf that lead here. The password is where munge listens (man slurm.conf)."""
        return {
            "AccountingStorageType": "accounting_storage/slurmdbd",
            "AccountingStorageHost": "127.0.0.1",
            "AccountingStoragePort": str(self.port),
            "AccountingStoragePass": f"{self.sockets}/munge.socket",
        }

    def start(self) -> None:
        """Returns when slurmdbd answers. munged must be running."""
        if not self.daemons.is_running("mariadbd"):
            self._start_database()
        self._write_configuration()
        environment = {
            **os.environ,
            "PATH": PATH,
            "SLURM_CONF": str(self.folder / "slurm.conf"),  # slurmdbd.conf is looked for beside it
            "MYSQL_UNIX_PORT": str(self._socket),
        }
        self.daemons.start("slurmdbd", "slurmdbd", "-D", environment=environment)
        until(self._answers, "slurmdbd does not answer", self._log)

    def stop(self) -> None:
        """slurmdbd is killed; who asks it is refused at once. The database stays for the next start."""
        self.daemons.kill("slurmdbd")

    @property
    def _socket(self) -> Path:
        return self.sockets / "mariadb.socket"

    def _start_database(self) -> None:
        data = self.folder / "database"
        # A MariaDB that starts removes all temporary tables it finds, also those of another one that shares its folder.
        temporary = self.folder / "temporary"
        temporary.mkdir(exist_ok=True)
        user = "root" if os.getuid() == 0 else ""
        options = {**_SMALL_AND_QUICK, "datadir": str(data), "tmpdir": str(temporary), "user": user}
        common = ["--no-defaults", *(f"--{name}={value}" for name, value in options.items() if value)]
        common += ["--skip-log-bin", "--skip-innodb-doublewrite", "--skip-networking"]
        if not data.is_dir():
            data.mkdir()
            self._make_system_tables(common)
        self.daemons.start(
            "mariadbd",
            *("mariadbd", *common, "--skip-grant-tables", f"--socket={self._socket}"),
            f"--pid-file={self.folder}/mariadbd.pid",
            environment={**os.environ, "PATH": PATH},
        )
        until(self._socket.exists, "MariaDB made no socket", self._log)

    def _make_system_tables(self, options: list[str]) -> None:
        tables = f"CREATE DATABASE mysql;\nUSE mysql;\n{_SYSTEM_TABLES.read_text()}"
        command = ["mariadbd", *options, "--bootstrap", "--log-warnings=0"]
        with (self.folder / "mariadbd.out.log").open("ab") as log:
            environment = {**os.environ, "PATH": PATH}
            done = subprocess.run(command, input=tables.encode(), env=environment, stdout=log, stderr=log)
        if done.returncode:
            raise RuntimeError(f"MariaDB could not make its system tables.\n{self._log()}")

    def _write_configuration(self) -> None:
        host = socket.gethostname().partition(".")[0]
        lines = {
            "AuthType": "auth/munge",
            "AuthInfo": f"socket={self.sockets}/munge.socket",
            "DbdHost": host,
            "DbdAddr": "127.0.0.1",
            "DbdPort": str(self.port),
            "SlurmUser": pwd.getpwuid(os.getuid()).pw_name,  # by name, or the file has another owner
            "LogFile": f"{self.folder}/slurmdbd.log",
            "PidFile": f"{self.folder}/slurmdbd.pid",
            "StorageType": "accounting_storage/mysql",
            "StorageHost": "localhost",  # which means the socket
            "StorageUser": "root",
            "StorageLoc": "slurm_acct_db",
        }
        path = self.folder / "slurmdbd.conf"
        path.touch(0o600)
        path.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))

    def _answers(self) -> bool:
        environment = {**os.environ, "PATH": PATH, "SLURM_CONF": str(self.folder / "slurm.conf")}
        asked = ["sacctmgr", "--noheader", "--parsable2", "list", "cluster"]
        try:
            return subprocess.run(asked, env=environment, capture_output=True, timeout=10).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def _log(self) -> str:
        files = (self.folder / "slurmdbd.out.log", self.folder / "mariadbd.out.log")
        return "\n".join(f"{path.name}: {path.read_text(errors='replace')[-2000:]}" for path in files if path.exists())
