"""The model-signing program of PyPI (OpenSSF Model Signing), and keys and certificates to use it with."""

import datetime
import pathlib
import subprocess
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

CURVES = {"p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1}


def model_signing(*arguments, code: int = 0) -> str:
    done = subprocess.run([sys.executable, "-m", "model_signing", *map(str, arguments)], text=True, capture_output=True,
                          timeout=120)
    assert (done.returncode == 0) == (code == 0), f"model_signing {arguments}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def sign(folder: pathlib.Path, key: pathlib.Path, *more) -> None:
    model_signing("sign", "key", "--private_key", key, "--signature", folder / "model.sig", *more, folder)


def verify(folder: pathlib.Path, key: pathlib.Path, code: int = 0) -> str:
    return model_signing("verify", "key", "--public_key", key, "--signature", folder / "model.sig", folder, code=code)


class Authority:
    """A root, an intermediate authority and a signer's certificate, as PEM files in a folder."""

    def __init__(self, folder: pathlib.Path, curve: str = "p256", usage: bool = True, years_ago: int = 0):
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.start = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1 + 365 * years_ago)
        root_key = ec.generate_private_key(ec.SECP256R1())
        root = self._certificate("root", root_key.public_key(), "root", root_key, authority=True)
        between_key = ec.generate_private_key(ec.SECP384R1())
        between = self._certificate("between", between_key.public_key(), "root", root_key, authority=True)
        key = ec.generate_private_key(CURVES[curve]())
        signer = self._certificate("signer", key.public_key(), "between", between_key, authority=False, usage=usage)
        self.key = folder / "signer.pem"
        self.key.touch(0o600)
        self.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                               serialization.NoEncryption()))
        self.root, self.between = self._write("root.crt", root), self._write("between.crt", between)
        self.certificate = self._write("signer.crt", signer)
        self.chain = self._write("chain.crt", signer, between)

    def _certificate(self, name, public_key, issuer, issuer_key, authority, usage=True):
        def called(common_name):
            return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])

        builder = (x509.CertificateBuilder().subject_name(called(name)).issuer_name(called(issuer))
                   .public_key(public_key).serial_number(x509.random_serial_number())
                   .not_valid_before(self.start).not_valid_after(self.start + datetime.timedelta(days=30))
                   .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True))
        bits = dict.fromkeys(("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
                              "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False)
        bits["key_cert_sign" if authority else "digital_signature" if usage else "key_agreement"] = True
        return builder.add_extension(x509.KeyUsage(**bits), critical=True).sign(issuer_key, hashes.SHA256())

    def _write(self, name, *certificates) -> pathlib.Path:
        file = self.folder / name
        file.write_bytes(b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates))
        return file
