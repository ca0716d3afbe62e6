"""The Ed25519 key that seals are signed with: its private half in a file of its own, its public half beside the copy of the seals."""

import contextlib
import hashlib
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from clinic import safe_files
from clinic.seal import SealProblem

PEM = serialization.Encoding.PEM


def make(key_file: Path, public_file: Path) -> None:
    """A new key, its private half readable by its owner alone; what broke off between the two halves is completed.

    Raises SealProblem where there is a key already, or the public half of a key that is not there any more.
    """
    if public_file.exists():
        raise SealProblem(f"{public_file} is there already, and the seals made with its key need that key: none was made.")
    if not key_file.exists():
        key = Ed25519PrivateKey.generate()
        _write(key_file, key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()), 0o600)
    public = _load(key_file).public_key()
    _write(public_file, public.public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo), 0o644)


def _write(file: Path, text: bytes, mode: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    safe_files.leave_to_owner(file.parent)
    safe_files.write(file, text, mode)
    safe_files.leave_to_owner(file)


def private(key_file: Path, public_file: Path) -> Ed25519PrivateKey:
    """The signing key. Raises SealProblem, naming the file, when others may read it or its public half is another key's."""
    key = _load(key_file)
    if fingerprint(key.public_key()) != fingerprint(public(public_file)):
        raise SealProblem(f"{public_file} is not the public half of {key_file}: one of them was replaced. Nothing was sealed.")
    return key


def _load(key_file: Path) -> Ed25519PrivateKey:
    try:
        if safe_files.others_may(key_file):
            raise SealProblem(f"{key_file} can be read or written by others than its owner. Close it first: chmod 600 {key_file}")
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    except FileNotFoundError:
        raise SealProblem(f"There is no key at {key_file}. `manage.py make_audit_key` makes one.") from None
    except PermissionError:
        raise SealProblem(f"{key_file} cannot be read. Seal as the user who owns it.") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise SealProblem(f"{key_file} holds no key that can be read.") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SealProblem(f"{key_file} holds a key of another kind; seals are signed with Ed25519.")
    return key


def public(public_file: Path) -> Ed25519PublicKey:
    try:
        key = serialization.load_pem_public_key(public_file.read_bytes())
    except FileNotFoundError:
        raise SealProblem(f"There is no {public_file}, so nobody can tell who signed the seals.") from None
    except (ValueError, OSError, UnsupportedAlgorithm):
        raise SealProblem(f"{public_file} holds no public key that can be read.") from None
    if not isinstance(key, Ed25519PublicKey):
        raise SealProblem(f"{public_file} holds a key of another kind; seals are signed with Ed25519.")
    return key


def fingerprint(key: Ed25519PublicKey) -> str:
    """What a key is called: the SHA-256 of its 32 bytes, in hex."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def signed_by(key: Ed25519PublicKey, signature: str, text: bytes) -> bool:
    """Whether this signature, in hex, is the key's over the text."""
    with contextlib.suppress(InvalidSignature, ValueError):
        key.verify(bytes.fromhex(signature), text)
        return True
    return False
