"""A real nginx in front of a service."""

import os
import re
import shutil
from pathlib import Path

from tests.running import ROOT, RunningProgram, free_port

# Debian's package, unpacked by scripts/setup.sh.
UNPACKED = ROOT / ".cache/servers/usr/sbin"

# By default nginx writes below /var.
CONFIGURATION = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log stderr notice;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {server}
}}
"""


class RunningNginx(RunningProgram):
    """Runs nginx on a free port.

    server: block of the configuration that listens on port 80 and passes to http://127.0.0.1:8081.
    service: URL of the service that takes the place of this address.
    """

    listening = re.compile(r"(start worker process \d+)")

    def __init__(self, folder: Path, server: str, service: str) -> None:
        program = shutil.which("nginx") or shutil.which("nginx", path=str(UNPACKED))
        assert program, "nginx is missing: scripts/setup.sh test"
        self.port = free_port()
        server = server.replace("listen 80;", f"listen 127.0.0.1:{self.port};")
        server = server.replace("http://127.0.0.1:8081", service)
        # If nginx starts as root, its workers are another user, who cannot write into the folder.
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(CONFIGURATION.format(user=user, folder=folder, server=server))
        super().__init__([program, "-c", str(folder / "nginx.conf"), "-p", str(folder), "-e", "stderr"])
