"""The description of the collector's endpoints is true, whatever is sent to them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

DESCRIPTION = Path(__file__).parents[3] / "docs" / "collector-openapi.yaml"
CODE = "from mailnod.cli.main import cli; cli(prog_name='mailnod')"
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,unsupported_method,"
    "response_headers_conformance,response_schema_conformance"
)


def wait_until_ready(url: str, *, guard_s: float = 30.0) -> None:
    """Ask until the collector says that it is ready; the guard only ends a run that hangs."""
    end = time.monotonic() + guard_s
    while True:
        try:
            urllib.request.urlopen(f"{url}/-/ready", timeout=30).close()
        except (urllib.error.URLError, OSError):
            assert time.monotonic() < end, "gave up waiting"
            time.sleep(0.05)
        else:
            return


def test_description_of_the_endpoints_is_true(environ: dict[str, str], tmp_path: Path) -> None:
    """Whatever is sent to the endpoints, replies are as their description says: never an error, always the headers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    serve = [sys.executable, "-c", CODE, "serve", "--port", str(port), "--metrics"]
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(DESCRIPTION), "--url", url, "--seed", "1"]
    command += ["--max-examples", "12", "--phases", "examples,coverage,fuzzing", "--checks", CHECKS]
    with subprocess.Popen(serve, env={**os.environ, **environ}, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until_ready(url)
            # It leaves what it has seen in the folder where it runs.
            result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        finally:
            process.terminate()
            try:
                process.wait(30)
            finally:
                process.kill()
    assert result.returncode == 0, result.stdout + result.stderr
