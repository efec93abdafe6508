"""Whether this machine can run containers: `python3 -m tests.deploy.can_run` ends with 3, and says why, if it cannot.

For whoever decides whether a stack that does not come up is our fault. Asks for nothing but Python itself and Debian's
engine: the one program in the container is the init that comes with it.
"""

import sys
import tarfile
import tempfile
from pathlib import Path

from tests.deploy.engine import PrivateDocker, missing

CANNOT = 3
INIT = Path("/usr/bin/docker-init")


def obstacle() -> str:
    """Why no container runs here, in the network of its own that compose makes; empty when one does."""
    if told := missing():
        return told
    with tempfile.TemporaryDirectory(prefix="engine-") as folder:
        try:
            with PrivateDocker(Path(folder)) as docker:
                _run_one(docker, Path(folder))
        except RuntimeError as error:
            return str(error)
    return ""


def _run_one(docker: PrivateDocker, folder: Path) -> None:
    with tarfile.open(folder / "image.tar", "w") as image:
        image.add(INIT.resolve(), "init")
    docker.run("/usr/bin/docker", "import", str(folder / "image.tar"), "probe")
    docker.run("/usr/bin/docker", "network", "create", "probe")
    limits = ["--network", "probe", "--read-only", "--cap-drop", "ALL", "--memory", "64m", "--pids-limit", "16"]
    docker.run("/usr/bin/docker", "run", "--rm", *limits, "probe", "/init", "--version")


if __name__ == "__main__":
    found = obstacle()
    sys.stdout.write(f"{found}\n" if found else "")
    sys.exit(CANNOT if found else 0)
