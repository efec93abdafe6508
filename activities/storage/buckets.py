"""Addresses in object stores, and the stores themselves, opened with what the environment says."""

import os
import re
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

from obstore.store import AzureStore, GCSStore, S3Store

from howdah.activities.storage.aws_profile import profile
from howdah.errors import CredentialsRefused, DataError
from howdah.models.printable import printable

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

Store = S3Store | GCSStore | AzureStore

_ADDRESS = re.compile(r"(s3|gs|az)://([^/]*)(?:/(.*))?", re.IGNORECASE | re.DOTALL)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")
_LONGEST_KEY = 1024

_RETRIES: "RetryConfig" = {"max_retries": 3, "retry_timeout": timedelta(minutes=1)}
"""Temporal tries again as well, and tells why it has to."""
_CLIENT = ("ALLOW_HTTP", "ALLOW_INVALID_CERTIFICATES", "PROXY_URL", "PROXY_EXCLUDES")
"""Options that the library reads from the environment, such as AWS_ALLOW_HTTP, unless it is given any itself."""
AUTHORITIES = ("AWS_CA_BUNDLE", "SSL_CERT_FILE")
"""Files with further certificate authorities, such as that of a private network."""


@dataclass(frozen=True)
class Kind:
    """One family of stores."""

    prefix: str
    """Of the variables in the environment that it is set up by."""
    variables: str
    """What people have to set, in words."""
    sum_name: str
    owner_name: str


KINDS = {
    "s3": Kind(
        "AWS_",
        "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, perhaps AWS_SESSION_TOKEN, AWS_REGION and AWS_ENDPOINT_URL",
        "howdah-sha256",
        "howdah-owner",
    ),
    "gs": Kind(
        "GOOGLE_",
        "GOOGLE_APPLICATION_CREDENTIALS, the path of a credentials file",
        "howdah-sha256",
        "howdah-owner",
    ),
    "az": Kind(  # names of metadata are identifiers there: no hyphens
        "AZURE_",
        "AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_KEY",
        "howdah_sha256",
        "howdah_owner",
    ),
}


@dataclass(frozen=True)
class Place:
    """One object, or with an empty key or `folder` all below a prefix. Keys are taken literally, never decoded."""

    scheme: str
    bucket: str
    key: str
    folder: bool = False

    @classmethod
    def of(cls, address: str) -> Self:
        """Raises DataError for what names no object, or might climb out of the bucket."""
        found = _ADDRESS.fullmatch(address)
        if found is None:
            raise DataError(f"{printable(address)!r} is not an address in an object store.")
        scheme, bucket, key = found[1].lower(), found[2], found[3] or ""
        if "@" in bucket:
            raise DataError("A URL must not hold a user name or password.", hint=hint(scheme))
        if not _BUCKET.fullmatch(bucket):
            raise DataError(f"{printable(bucket)!r} is not the name of a bucket.")
        _check_key(address, key.removesuffix("/"))
        return cls(scheme, bucket, key.removesuffix("/"), folder=not key or key.endswith("/"))

    def below(self, path: str) -> Self:
        key = f"{self.key}/{path}" if self.key else path
        _check_key(f"{self.scheme}://{self.bucket}/{key}", key)
        return replace(self, key=key, folder=False)

    @property
    def kind(self) -> Kind:
        return KINDS[self.scheme]

    @property
    def address(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.key}"

    @property
    def shown(self) -> str:
        return printable(self.address)


def hint(scheme: str) -> str:
    return f"set {KINDS[scheme].variables} for the staging worker, never in the experiment"


def opened(place: Place, *, within: timedelta) -> Store:
    """The bucket's store, not connected yet. A request has to be over `within` this time."""
    try:
        options = _client(place, within)
        match place.scheme:
            case "s3":
                config = cast("S3Config", profile(os.environ, Path.home()))
                return S3Store(place.bucket, config=config, client_options=options, retry_config=_RETRIES)
            case "gs":
                return GCSStore(place.bucket, client_options=options, retry_config=_RETRIES)
            case _:
                return AzureStore(place.bucket, client_options=options, retry_config=_RETRIES)
    except Exception as error:  # its words may hold what it could not read: a key
        raise CredentialsRefused(
            f"The store of {place.scheme}://{place.bucket} cannot be set up from the worker's environment.",
            hint=hint(place.scheme),
        ) from error


def is_public(place: Place) -> bool:
    """The environment says that requests are not signed, as for public data."""
    return os.environ.get(f"{place.kind.prefix}SKIP_SIGNATURE", "").lower() in ("1", "true", "yes", "on", "t", "y")


def _client(place: Place, within: timedelta) -> "ClientConfig":
    options: ClientConfig = {
        "timeout": within,
        "read_timeout": timedelta(minutes=1),
        "connect_timeout": timedelta(seconds=10),
        "user_agent": "howdah",
    }
    for name in _CLIENT:
        if value := os.environ.get(f"{place.kind.prefix}{name}"):
            options[name.lower()] = value  # type: ignore[literal-required]  # one of ClientConfig's keys
    if files := [os.environ[name] for name in AUTHORITIES if os.environ.get(name)]:
        options["root_certificate"] = Path(files[0]).read_bytes()
    return options


def _check_key(address: str, key: str) -> None:
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise DataError(f"{printable(address)!r}: names in object stores have to be valid UTF-8.") from None
    if key and any(step in ("", ".", "..") for step in key.split("/")):
        raise DataError(f"{printable(address)!r} has an empty step, '.' or '..' in it, so it is no path of a file.")
    if any(ord(char) < 32 or ord(char) == 127 for char in key):
        raise DataError(f"{printable(address)!r}: a name with a line break or another control character is not stored.")
    if size > _LONGEST_KEY:
        raise DataError(f"{printable(address)!r} is longer than object stores allow ({_LONGEST_KEY} bytes).")
