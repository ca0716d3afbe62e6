"""The key: made once, closed to others, and held to its public half."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from clinic.seal import SealProblem, keys


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "keys" / "audit-key.pem", tmp_path / "seals" / "seals.jsonl.pub"


def test_a_key_signs_and_its_public_half_tells(files: tuple[Path, Path]) -> None:
    keys.make(*files)
    signature = keys.private(*files).sign(b"text").hex()
    assert keys.signed_by(keys.public(files[1]), signature, b"text")
    for other in (signature.replace(signature[:4], "0000"), "", "zz", signature[:-2]):
        assert not keys.signed_by(keys.public(files[1]), other, b"text")
    assert not keys.signed_by(keys.public(files[1]), signature, b"Text")
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600 and b"PRIVATE" not in files[1].read_bytes()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o777])
def test_a_key_that_others_may_touch_is_refused_by_name(files: tuple[Path, Path], mode: int) -> None:
    keys.make(*files)
    files[0].chmod(mode)
    with pytest.raises(SealProblem, match=rf"{files[0]} can be read or written by others .*chmod 600"):
        keys.private(*files)


def test_a_key_is_never_written_over(files: tuple[Path, Path]) -> None:
    keys.make(*files)
    before = files[0].read_bytes()
    with pytest.raises(SealProblem, match="is there already"):
        keys.make(*files)
    files[0].unlink()
    with pytest.raises(SealProblem, match="is there already"):
        keys.make(*files)
    with pytest.raises(SealProblem, match="There is no key at"):
        keys.private(*files)
    files[0].write_bytes(before)


def test_what_broke_off_between_the_halves_is_completed(files: tuple[Path, Path]) -> None:
    keys.make(*files)
    files[1].unlink()
    before = files[0].read_bytes()
    keys.make(*files)
    assert files[0].read_bytes() == before and keys.private(*files)


def test_halves_of_two_keys_are_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    keys.make(*files)
    keys.make(tmp_path / "other.pem", tmp_path / "other.pub")
    with pytest.raises(SealProblem, match="one of them was replaced"):
        keys.private(files[0], tmp_path / "other.pub")


def test_what_is_no_such_key_is_refused_by_name(files: tuple[Path, Path]) -> None:
    keys.make(*files)
    stranger = rsa.generate_private_key(65537, 2048)
    kinds = {
        b"nothing": "holds no key that can be read",
        b"": "holds no key that can be read",
        stranger.private_bytes(keys.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()): "a key of another kind",
    }
    for text, sentence in kinds.items():
        files[0].write_bytes(text)
        with pytest.raises(SealProblem, match=sentence):
            keys.private(*files)
    public = stranger.public_key().public_bytes(keys.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for text, sentence in {b"nothing": "holds no public key", public: "a key of another kind"}.items():
        files[1].write_bytes(text)
        with pytest.raises(SealProblem, match=sentence):
            keys.public(files[1])
