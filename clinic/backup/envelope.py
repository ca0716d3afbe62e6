"""The encrypted file of a backup, and the key that opens it. The format is age (age-encryption.org/v1) around gzip.

Whoever holds the public key can write a backup; only the secret key opens it. Any `age` program opens it too, should Steady be gone.
"""

import gzip
import os
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from getpass import getpass
from pathlib import Path
from typing import IO, Any

import pyrage

from clinic import safe_files
from clinic.backup import BackupProblem

KEY_VARIABLE = "STEADY_BACKUP_KEY"
MAKE_ONE = "`manage.py backup_key FILE` makes one."
SEALED = b"age-encryption.org/v1"
DAMAGED = "has been damaged or cut short since it was written. Nothing was changed. Take another backup."
DECRYPTION_ERRORS = (pyrage.DecryptError, gzip.BadGzipFile, zlib.error, EOFError)


def make_key(file: Path, passphrase: str = "") -> str:
    """Write a new secret key, behind a passphrase when one is given, and its public half beside it as FILE.pub. Returns the public half."""
    secret = pyrage.x25519.Identity.generate()
    text = f"{secret}\n".encode()
    _write_new(file, pyrage.passphrase.encrypt(text, passphrase) if passphrase else text, 0o600)
    public = str(secret.to_public())
    _write_new(file.with_name(f"{file.name}.pub"), f"{public}\n".encode(), 0o644)
    return public


def _write_new(file: Path, text: bytes, mode: int) -> None:
    try:
        safe_files.write(file, text, mode)
    except FileExistsError:
        raise BackupProblem(f"{file} is there already, and a key that is written over opens nothing any more.") from None
    except OSError as error:
        raise BackupProblem(f"{file} cannot be written: {error.strerror}.") from None


def _key(ask: Callable[[str], str]) -> str:
    """The text of the key file that STEADY_BACKUP_KEY names. A secret that others may read is refused."""
    file = Path(os.environ.get(KEY_VARIABLE, ""))
    if not os.environ.get(KEY_VARIABLE):
        raise BackupProblem(f"{KEY_VARIABLE} is not set. It names the file of the backup key; {MAKE_ONE}")
    try:
        text, others_may = file.read_bytes(), safe_files.others_may(file)
    except OSError as error:
        raise BackupProblem(f"{KEY_VARIABLE} names {file}, which cannot be read: {error.strerror}. {MAKE_ONE}") from None
    if text.startswith(SEALED):
        try:
            text = pyrage.passphrase.decrypt(text, ask(f"Passphrase of {file}: "))
        except pyrage.DecryptError:
            raise BackupProblem(f"This is not the passphrase of {file}.") from None
    elif others_may and not text.startswith(b"age1"):
        raise BackupProblem(f"{file} may be read by others than its owner, and it opens every backup. Make it private: chmod 600 {file}")
    return text.decode(errors="replace").strip()


def recipient(ask: Callable[[str], str] = getpass) -> Any:
    """The public key that backups are written for; the file may hold either half."""
    text = _key(ask)
    try:
        return pyrage.x25519.Recipient.from_str(text) if text.startswith("age1") else pyrage.x25519.Identity.from_str(text).to_public()
    except (pyrage.RecipientError, pyrage.IdentityError):
        raise BackupProblem(f"The file that {KEY_VARIABLE} names holds no backup key. {MAKE_ONE}") from None


def identity(ask: Callable[[str], str] = getpass) -> Any:
    """The secret key that opens backups."""
    text = _key(ask)
    if text.startswith("age1"):
        raise BackupProblem(f"{KEY_VARIABLE} names a public key, which can only write backups. Name the secret key's file to open one.")
    try:
        return pyrage.x25519.Identity.from_str(text)
    except pyrage.IdentityError:
        raise BackupProblem(f"The file that {KEY_VARIABLE} names holds no backup key. {MAKE_ONE}") from None


@contextmanager
def writing(file: Path, key: Any) -> Iterator[IO[bytes]]:
    """Encrypts what is written. The file has another name until all of it lies safely on the disk; a failure leaves nothing."""
    if file.exists():
        raise BackupProblem(f"{file} is there already. Give the new backup another name.")
    part = file.with_name(f"{file.name}.part")
    try:
        part.unlink(missing_ok=True)
        handle = safe_files.create(part)
    except OSError as error:
        raise BackupProblem(f"{file} cannot be written: {error.strerror}.") from None
    try:
        with handle:
            encrypt = partial(_encrypt, handle, key)
            with _pipe_into(encrypt) as plain, gzip.open(plain, "wb", compresslevel=3) as zipped:
                yield zipped  # type: ignore[misc]  # a GzipFile is one
            safe_files.sync(handle)
        part.rename(file)
        safe_files.sync_folder(file.parent)
    except OSError as error:
        raise BackupProblem(f"The backup could not be written: {error.strerror or error}. No backup was made.") from error
    finally:
        part.unlink(missing_ok=True)


def _encrypt(handle: IO[bytes], key: Any, plain: IO[bytes]) -> None:
    pyrage.encrypt_io(plain, handle, [key])


@contextmanager
def _pipe_into(encrypt: Callable[[IO[bytes]], None]) -> Iterator[IO[bytes]]:
    """What is written goes to `encrypt`, which reads it on a thread of its own; its failure is raised here."""
    end, start = os.pipe()

    def run() -> None:
        with open(end, "rb") as source:
            encrypt(source)

    thread = _Aside(run)
    try:
        # What the thread failed by is the reason, and not the broken pipe that shows it.
        with suppress(BrokenPipeError), open(start, "wb") as sink:
            yield sink
    finally:
        thread.join()
    if thread.failure:
        raise thread.failure


class _Aside(threading.Thread):
    """Work on a thread of its own, begun at once; `failure` is what it ended by, once it has been joined."""

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__()
        self.work = work
        self.failure: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.work()
        except BaseException as error:
            self.failure = error


@contextmanager
def reading(file: Path, key: Any) -> Iterator[IO[bytes]]:
    """The plain text of a backup as a stream, of which every piece has been checked against the key before it is given out.

    Raises BackupProblem for a key that does not open it, and for a file that is damaged, cut short or no backup.
    """
    try:
        handle = open(file, "rb")  # noqa: SIM115 closed by the thread
        if handle.read(len(SEALED)) != SEALED:
            handle.close()
            raise BackupProblem(f"{file} is no backup of Steady.")
        handle.seek(0)
    except OSError as error:
        raise BackupProblem(f"{file} cannot be read: {error.strerror}.") from None
    with _pipe_from(lambda sink: pyrage.decrypt_io(handle, sink, [key]), handle, file) as plain:
        yield plain


@contextmanager
def _pipe_from(decrypt: Callable[[IO[bytes]], None], handle: IO[bytes], file: Path) -> Iterator[IO[bytes]]:
    end, start = os.pipe()

    def run() -> None:
        # Unbuffered: nothing is left to be written to whoever has stopped reading.
        with handle, open(start, "wb", buffering=0) as sink:
            decrypt(sink)

    thread = _Aside(run)
    problem: BaseException | None = None
    try:
        with open(end, "rb") as source, gzip.open(source, "rb") as plain:
            yield plain  # type: ignore[misc]
    except (BackupProblem, *DECRYPTION_ERRORS) as error:
        problem = error
    finally:
        thread.join()
    # What kept the thread from its end is the reason of whatever was found missing after it.
    if thread.failure and not isinstance(thread.failure, BrokenPipeError):
        problem = thread.failure
    if problem:
        raise problem if isinstance(problem, BackupProblem) else _said(problem, file) from None


def _said(error: BaseException, file: Path) -> BackupProblem:
    if isinstance(error, pyrage.DecryptError) and "No matching keys" in str(error):
        return BackupProblem(f"This key does not open {file}: it was written for another one. Nothing was changed.")
    if isinstance(error, OSError) and error.errno:
        return BackupProblem(f"{file} cannot be read: {error.strerror}. Nothing was changed.")
    return BackupProblem(f"{file} {DAMAGED}")
