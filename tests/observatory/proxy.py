"""nginx in front of the server, configured as in `docs/operations.md`."""

import asyncio
import os
import re
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.servers.server_process import ServerProcess
from tests.timeouts import DEADLINE
from tools.servers.process import ROOT

_LOCATION = re.compile(r"```nginx\n(.*?)```", re.DOTALL)
_NGINX_CONF = """
daemon off;
user root;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder};
    proxy_temp_path {folder};
    fastcgi_temp_path {folder};
    uwsgi_temp_path {folder};
    scgi_temp_path {folder};
    server {{
        listen 127.0.0.1:{port} ssl;
        server_tokens off;
        ssl_certificate {folder}/server.pem;
        ssl_certificate_key {folder}/server.key;
        error_page 497 =301 https://$http_host$request_uri;
        {location}
    }}
}}
"""


@asynccontextmanager
async def run_https_proxy(server: ServerProcess, port: int, folder: Path) -> AsyncIterator[Path]:
    """Run nginx with TLS in front of the server; yield the path of the CA certificate."""
    authority = _make_certificates(folder)
    (location,) = _LOCATION.findall((ROOT / "docs" / "operations.md").read_text())
    location = location.replace("127.0.0.1:8080", f"127.0.0.1:{server.port}")
    configuration = folder / "nginx.conf"
    configuration.write_text(_NGINX_CONF.format(folder=folder, port=port, location=location))
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") or "nginx"
    command = (program, "-c", str(configuration), "-e", str(folder / "nginx.log"))
    nginx = await asyncio.create_subprocess_exec(*command)
    try:
        async with asyncio.timeout(DEADLINE):
            while not await _is_listening(port, authority):
                assert nginx.returncode is None, (folder / "nginx.log").read_text()
                await asyncio.sleep(0.05)
        yield authority
    finally:
        nginx.terminate()
        await nginx.wait()


async def _is_listening(port: int, authority: Path) -> bool:
    context = ssl.create_default_context(cafile=authority)
    try:
        _, writer = await asyncio.open_connection("localhost", port, ssl=context)
    except OSError:
        return False
    writer.close()
    return True


def _make_certificates(folder: Path) -> Path:
    """Create a CA and a certificate for localhost; return the path of the CA certificate."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "anonchat tests")])
    authority = _sign(issuer, authority_key.public_key(), issuer, authority_key, is_authority=True)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = _sign(subject, key.public_key(), issuer, authority_key, is_authority=False)
    encoding = serialization.Encoding.PEM
    (folder / "server.key").write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "server.pem").write_bytes(certificate.public_bytes(encoding))
    path = folder / "authority.pem"
    path.write_bytes(authority.public_bytes(encoding))
    return path


def _sign(
    subject: x509.Name,
    key: ec.EllipticCurvePublicKey,
    issuer: x509.Name,
    signing_key: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(signing_key, hashes.SHA256())
    )
