"""Backup and restore: one encrypted file that holds every row, and an empty database that becomes what it was.

`envelope` is the encrypted file, `contents` what is in it, `make` and `restore` the two ways. Why so: docs/adr/0018.
"""


class BackupProblem(Exception):
    """A backup cannot be made, read or restored; the message is a sentence for the person at the terminal."""
