"""Images made here, where no registry can be reached: Debian's packages, and this howdah by its own Dockerfile."""

import os
import subprocess
from pathlib import Path

from tests.deploy.engine import PrivateDocker

ROOT = Path(__file__).parents[2]
IMAGES = Path(__file__).parent / "images"
DEBIAN = "howdah-test/debian"
HOWDAH = "howdah:local"
PACKAGES = ("python3", "python3-venv", "python3-pip", "ca-certificates", "postgresql-15")
SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def make_all(docker: PrivateDocker, folder: Path) -> None:
    """A Debian with Python and PostgreSQL, and from it those of PostgreSQL, howdah and the development server."""
    archive = folder / "debian.tar"
    make_debian(archive, folder)
    docker.run("/usr/bin/docker", "import", str(archive), DEBIAN)
    archive.unlink()
    build(docker, IMAGES / "postgresql", "howdah-test/postgresql", BASE_IMAGE=DEBIAN)
    build(docker, ROOT, HOWDAH, PYTHON_IMAGE=DEBIAN)
    build(docker, IMAGES / "temporal", "howdah-test/temporal", HOWDAH_IMAGE=HOWDAH)


def build(docker: PrivateDocker, context: Path, image: str, **arguments: str) -> None:
    told = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    docker.run("/usr/bin/docker", "build", "--quiet", "--network", "host", *told, "--tag", image, str(context))


def make_debian(archive: Path, folder: Path) -> None:
    """pip in it finds its index the way it does here."""
    configuration = folder / "pip.conf"
    index = os.environ.get("PIP_INDEX_URL")
    configuration.write_text(f"[global]\ncert = {CERTIFICATES}\n" + (f"index-url = {index}\n" if index else ""))
    hooks = [f"--customize-hook=copy-in {configuration} /etc/"]
    hooks += [f"--customize-hook=copy-in {CERTIFICATES} {CERTIFICATES.parent}/"]
    included = [f"--include={','.join(PACKAGES)}"]
    sources = [str(SOURCES)] if SOURCES.exists() else []
    with (folder / "mmdebstrap.log").open("wb") as log:
        subprocess.run(
            ["mmdebstrap", "--variant=minbase", *included, *hooks, "bookworm", str(archive), *sources],
            stdout=log,
            stderr=log,
            check=True,
        )
