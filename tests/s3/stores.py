"""Real object stores on loopback, each a process of its own: OpenStack Swift with its S3 API, and rclone."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.running import ROOT, free_port

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

BIN = ROOT / ".cache" / "s3-servers" / "bin"
ACCESS_KEY = "tenant-of-tests:key-of-tests"
SECRET_KEY = "not-a-real-secret"
REGION = "ru-central-1"
BUCKET = "scans"

_BACKENDS = ("account", "container", "object")
_PIPELINE = "catch_errors listing_formats s3api tempauth"


@dataclass
class Store:
    """An object store: its endpoint and credentials; certificate is None for plain http."""

    endpoint: str
    certificate: Path | None = None
    access_key: str = ACCESS_KEY
    secret_key: str = field(default=SECRET_KEY)

    @property
    def settings(self) -> dict[str, str]:
        """Settings of the service for this store."""
        return {
            "CLOUDRU_S3_ENDPOINT": self.endpoint,
            "CLOUDRU_S3_BUCKET": BUCKET,
            "CLOUDRU_S3_ACCESS_KEY": self.access_key,
            "CLOUDRU_S3_SECRET_KEY": self.secret_key,
            **({"AWS_CA_BUNDLE": str(self.certificate)} if self.certificate else {}),
        }

    def client(self, **options: Any) -> "S3Client":
        """Build a client independent of the service; options override the ones that such stores need."""
        compatible = {
            "signature_version": "s3v4",
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
            "retries": {"total_max_attempts": 1},
            "s3": {"addressing_style": "path"},
        }
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=REGION,
            verify=str(self.certificate) if self.certificate else None,
            config=Config(**{**compatible, **options}),
        )

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        """Return the contents of all objects below a prefix."""
        client = self.client()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return {key: client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}

    def wait_until_ready(self) -> None:
        """Create the bucket as soon as the store accepts requests."""
        client = self.client()

        def make_bucket() -> bool:
            try:
                client.create_bucket(Bucket=BUCKET)
            except ClientError as error:
                return error.response["Error"]["Code"] in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists")
            except BotoCoreError:
                return False
            return True

        wait_until(make_bucket, f"{self.endpoint} serves")


def wait_until(condition: Callable[[], bool], description: str, timeout: float = 120) -> None:
    """Poll a condition of another process."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout} seconds: {description}"
        time.sleep(0.1)


class Server:
    """A server process that can be killed and restarted on its port."""

    def __init__(self, command: list[str], log: Path) -> None:
        self._command = command
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Swift:
    """The Swift servers for accounts, containers and objects; each front is one S3 endpoint on them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers: list[Server] = []
        self._fronts = 0

    def start(self) -> None:
        etc = self._folder / "etc"
        etc.mkdir(parents=True)
        (self._folder / "devices" / "d1").mkdir(parents=True)
        (etc / "swift.conf").write_text(_SWIFT)
        ports = {name: free_port() for name in _BACKENDS}
        rings = [f"{name}={port}" for name, port in ports.items()]
        prepare = str(Path(__file__).with_name("prepare.py"))
        subprocess.run([BIN / "python", prepare, str(etc), *rings], check=True, timeout=120)
        for name, port in ports.items():
            (etc / f"{name}.conf").write_text(_BACKEND.format(name=name, port=port, **self._common()))
            self._run(f"swift-{name}-server", etc / f"{name}.conf")

    @contextmanager
    def front(self, tls: bool = False) -> Iterator[tuple[Store, Server]]:
        """Run an S3 endpoint."""
        self._fronts += 1
        port, etc = free_port(), self._folder / "etc"
        certificate = f"cert_file = {etc}/cert.pem\nkey_file = {etc}/key.pem" if tls else ""
        config = etc / f"proxy-{self._fronts}.conf"
        filters = "".join(
            f"[filter:{name}]\nuse = egg:swift#{name}\n{_OPTIONS.get(name, '')}" for name in _PIPELINE.split()
        )
        proxy = _PROXY.format(port=port, certificate=certificate, pipeline=_PIPELINE, **self._common())
        config.write_text(proxy + filters)
        server = self._run("swift-proxy-server", config)
        scheme = "https" if tls else "http"
        store = Store(f"{scheme}://127.0.0.1:{port}", etc / "cert.pem" if tls else None)
        try:
            store.wait_until_ready()
            yield store, server
        finally:
            server.kill()

    def stop(self) -> None:
        for server in self._servers:
            server.kill()

    def _run(self, program: str, config: Path) -> Server:
        server = Server([str(BIN / program), str(config)], config.with_suffix(".log"))
        server.start()
        self._servers.append(server)
        return server

    def _common(self) -> dict[str, str]:
        return {"user": getuser(), "folder": str(self._folder), "patience": _PATIENCE}


@contextmanager
def rclone(folder: Path, certificate: Path, key: Path) -> Iterator[Store]:
    """Run `rclone serve s3` over TLS: a store that refuses requests with unknown S3 features."""
    (folder / BUCKET).mkdir(parents=True)
    port = free_port()
    options = ["--addr", f"127.0.0.1:{port}", "--cert", str(certificate), "--key", str(key)]
    command = [str(BIN / "rclone"), "serve", "s3", *options, "--auth-key", f"{ACCESS_KEY},{SECRET_KEY}"]
    server = Server([*command, str(folder)], folder.with_suffix(".log"))
    server.start()
    store = Store(f"https://127.0.0.1:{port}", certificate)
    try:
        store.wait_until_ready()
        yield store
    finally:
        server.kill()


_SWIFT = """
[swift-hash]
swift_hash_path_suffix = tests
swift_hash_path_prefix = tests
[storage-policy:0]
name = gold
default = yes
"""

# On a busy machine, a listing lacks an object whose container took more than a second to note it, by default.
_PATIENCE = "conn_timeout = 120\nnode_timeout = 120\ncontainer_update_timeout = 120"

_BACKEND = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {folder}/etc
devices = {folder}/devices
mount_check = false
fallocate_reserve = 0
log_level = ERROR
{patience}
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""

_PROXY = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
{certificate}
workers = 0
user = {user}
swift_dir = {folder}/etc
log_level = ERROR
{patience}
[pipeline:main]
pipeline = {pipeline} proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
"""

_ACCOUNT, _, _USER = ACCESS_KEY.partition(":")
_OPTIONS = {
    # No batch delete: many S3-compatible stores delete objects only one by one.
    "s3api": f"location = {REGION}\ns3_acl = false\nmax_multi_delete_objects = 1\n",
    "tempauth": f"user_{_ACCOUNT}_{_USER} = {SECRET_KEY} .admin\n",
}
