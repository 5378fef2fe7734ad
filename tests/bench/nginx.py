# SPDX-License-Identifier: BSD-3-Clause
"""nginx as the comparisons want it: one process in front, no log, a connection for each request."""

import os
from pathlib import Path

MOST = 16384  # Connections at once, and those that wait to be accepted.

CONFIG = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.err;
worker_rlimit_nofile {files}; events {{ worker_connections {most}; multi_accept on; }}
http {{
    access_log off; keepalive_timeout 0; client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen {listen} backlog={most}; location / {{ return 200 "{body}"; }} }}
}}
"""


def command(folder: Path, listen: str, body: str) -> list:
    """The words that start it; what it writes is in that folder, which it may look into."""
    os.chmod(folder, 0o755)
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, listen=listen, body=body, most=MOST,
                                    files=2 * MOST))
    return ["nginx", "-c", str(config), "-e", f"{folder}/nginx.err", "-p", str(folder)]
