"""examples/cloudfront_certificate.sh makes what CloudFront and API Gateway accept.

docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/origin-certificate-management-certificate-manager.html: X.509v3, RSA
with 2,048 bits, SHA-256, the extended key usage of TLS clients. http-api-mutual-tls.html: API Gateway trusts a self-signed one.
"""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support.programs import need, printed
from tools.stack import ROOT


def made(folder: Path) -> list[x509.Certificate]:
    """Run the script. Returns CloudFront's certificate and the authority's."""
    assert printed(["sh", ROOT / "examples/cloudfront_certificate.sh"], folder).endswith("cloudfront.pem: OK\n")
    return [x509.load_pem_x509_certificate((folder / name).read_bytes()) for name in ("cloudfront.pem", "ca.pem")]


@pytest.mark.slow
def test_the_certificate_is_cloudfronts_and_is_renewed_under_the_same_authority(tmp_path: Path) -> None:
    need("openssl")
    leaf, authority = made(tmp_path)
    for it in (leaf, authority):
        key, algorithm = it.public_key(), it.signature_hash_algorithm
        assert (it.version.name, isinstance(key, RSAPublicKey) and key.key_size, type(algorithm)) == ("v3", 2048, SHA256)
        it.verify_directly_issued_by(authority)
    assert [*leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value] == [ExtendedKeyUsageOID.CLIENT_AUTH]
    renewed, same = made(tmp_path)
    assert (same, renewed.serial_number != leaf.serial_number) == (authority, True)
