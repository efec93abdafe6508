"""Keys that `aws configure` keeps in the user's home: the library itself looks at the environment only."""

import os
from collections.abc import Mapping
from configparser import ConfigParser
from configparser import Error as Malformed
from pathlib import Path

_OTHERWISE = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SKIP_SIGNATURE")
"""Whoever sets one of these means that, and no file."""
_NAMES = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
}
_SETTINGS = {
    "region": ("region", ("AWS_REGION", "AWS_DEFAULT_REGION")),
    "endpoint_url": ("endpoint", ("AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AWS_ENDPOINT_URL_S3")),
}


def profile(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """Options for an S3 store from the files of the AWS command line, profile `AWS_PROFILE`; what the environment
    says goes first. Profiles that log in elsewhere (SSO, roles) are not known. Nothing when there is no such file.
    """
    name = environment.get("AWS_PROFILE", "default")
    secrets = _section(environment.get("AWS_SHARED_CREDENTIALS_FILE") or home / ".aws" / "credentials", name)
    config = environment.get("AWS_CONFIG_FILE") or home / ".aws" / "config"
    settings = _section(config, name if name == "default" else f"profile {name}")
    found = (
        {} if any(map(environment.get, _OTHERWISE)) else {_NAMES[key]: secrets[key] for key in _NAMES if key in secrets}
    )
    for key, (option, variables) in _SETTINGS.items():
        if key in settings and not any(map(environment.get, variables)):
            found[option] = settings[key]
    return found


def _section(file: str | Path, name: str) -> dict[str, str]:
    parser = ConfigParser(interpolation=None, default_section="", strict=False)
    try:
        parser.read(os.path.expanduser(file))  # noqa: PTH111 - a variable may hold ~
        return dict(parser[name]) if parser.has_section(name) else {}
    except (Malformed, OSError, UnicodeDecodeError):
        return {}
