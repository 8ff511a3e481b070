"""The public address of htmx, on this machine: a browser asks it as it asks the real one."""

from __future__ import annotations

import base64
import hashlib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from webapp.security import HTMX_URL

VENDOR = Path(__file__).resolve().parents[1] / "static" / "vendor"
HOST = str(urlsplit(HTMX_URL).hostname)


@contextmanager
def running(folder: Path) -> Iterator[list[str]]:
    """Serve the htmx that is kept in `static/vendor`, as its public address does.

    A browser keeps it, and everything else that may be kept, from one page to the next, which it would not if
    its requests were intercepted. It still checks the page's integrity hash.

    Args:
        folder: for the certificate.

    Yields:
        Options of Chromium with which it finds this server, and nothing else beside this machine.
    """
    certificate, fingerprint = _certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Htmx)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    Thread(target=server.serve_forever, daemon=True).start()
    here = f"MAP {HOST} 127.0.0.1:{server.server_port} , MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
    try:
        yield [
            f"--host-resolver-rules={here}",
            f"--ignore-certificate-errors-spki-list={fingerprint}",
        ]
    finally:
        server.shutdown()
        server.server_close()


class _Htmx(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """The file, whole; nothing at any other address."""
        body = next(VENDOR.glob("htmx*.js")).read_bytes() if self.path == urlsplit(HTMX_URL).path else b""
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "text/javascript")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Cache-Control", "public, max-age=31536000, immutable")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def _certificate(folder: Path) -> tuple[Path, str]:
    """A certificate with its key, in a file, and the fingerprint by which Chromium knows it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)]), datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "cdn.pem"
    path.write_bytes(private + made.public_bytes(pem))
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return path, base64.b64encode(hashlib.sha256(public).digest()).decode()
