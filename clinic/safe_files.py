"""Files that must not be lost, half there, written over, read by others, or left to root: keys, backups, what a trial makes."""

import os
import stat
from pathlib import Path
from typing import IO

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def create(file: Path, mode: int = 0o600) -> IO[bytes]:
    """Opens a file that is not there yet. Raises FileExistsError, or another OSError."""
    return open(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb")


def write(file: Path, text: bytes, mode: int = 0o600) -> None:
    """Writes a file that is not there yet; when this returns it is on the disk. Raises FileExistsError, or another OSError."""
    with create(file, mode) as handle:
        handle.write(text)
        sync(handle)
    sync_folder(file.parent)


def sync(handle: IO[bytes]) -> None:
    handle.flush()
    os.fsync(handle.fileno())


def sync_folder(folder: Path) -> None:
    """A new name is on the disk only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def others_may(file: Path) -> bool:
    """Whether anybody but its owner may read or write it. Raises OSError."""
    return bool(file.stat().st_mode & OTHERS)


def leave_to_owner(path: Path) -> None:
    """What root makes in somebody's folder is theirs, so that they can go on without root."""
    if os.getuid() == 0:
        folder = path.parent.stat()
        os.chown(path, folder.st_uid, folder.st_gid)
