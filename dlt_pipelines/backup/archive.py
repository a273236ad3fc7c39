"""The backup file itself: a plain tar, written once from front to back and checked whole before it is believed.

Its last two members are manifest.json, with the checksum of every other member, and manifest.sha256, with its own.
"""

import hashlib
import io
import os
import shutil
import tarfile
from pathlib import Path
from typing import IO

import msgspec

from dlt_pipelines.backup.manifest import FORMAT, TABLES, Entry, Manifest, belongs, entry_of, format_of, read_manifest
from dlt_pipelines.errors import BackupDamaged, BackupTooNew

MANIFEST, SEAL = "manifest.json", "manifest.sha256"
MIB = 1 << 20


class Writer:
    """Adds files to a tar, hashing each while it is copied."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files: list[Entry] = []
        # With customers' data in it, for its owner alone.
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._tar = tarfile.TarFile(fileobj=self._file, mode="w", format=tarfile.PAX_FORMAT)

    def add(self, source: Path, name: str, rows: int | None = None, create: str = "") -> None:
        """The bytes of `source` as they are now, under `name`."""
        with source.open("rb") as file:
            status = os.fstat(file.fileno())
            hashed = _Hashed(file)
            self._tar.addfile(_member(name, status.st_size, status.st_mode, int(status.st_mtime)), hashed)
        self.files.append(entry_of(name, hashed.digest(), status.st_mode, status.st_size, rows, create))

    def seal(self, manifest: Manifest) -> None:
        """The manifest and its checksum; then everything is on the disk and the file is closed."""
        body = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
        for name, content in ((MANIFEST, body), (SEAL, hashlib.sha256(body).hexdigest().encode())):
            self._tar.addfile(
                _member(name, len(content), 0o600, int(manifest.made_at.timestamp())), io.BytesIO(content)
            )
        self._tar.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def abandon(self) -> None:
        """Close the file as it is, after a failure; without a seal nobody takes it for a backup."""
        self._file.close()


class _Hashed(io.RawIOBase):
    """A file being read, and the hash of what was read so far."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file, self._sha = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self._sha.update(chunk)
        return chunk

    def digest(self) -> str:
        return self._sha.hexdigest()


def _member(name: str, size: int, mode: int, modified: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, mode & 0o777, modified
    return member


def check(path: Path) -> tuple[Manifest, str]:
    """Read the whole file and compare every checksum; its manifest, and the manifest's own checksum in hex.

    Raises BackupDamaged when anything is missing, too much or altered, BackupTooNew for a format of a later version.
    """
    found: dict[str, tuple[str, int]] = {}
    small: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                file = tar.extractfile(member) if member.isreg() else None
                if file is None or member.name in found:
                    raise _damaged(path, f"{member.name} in it is no plain file or is there twice")
                hashed = _Hashed(file)
                if member.name in (MANIFEST, SEAL):
                    small[member.name] = hashed.read()
                else:
                    while hashed.read(MIB):
                        pass
                found[member.name] = (hashed.digest(), member.size)
    except FileNotFoundError:
        raise BackupDamaged(f"{path} does not exist; name the file that `make backup` printed.") from None
    except (tarfile.TarError, EOFError, OSError) as error:
        raise _damaged(path, f"it cannot be read as a tar: {error}") from error
    if small.keys() != {MANIFEST, SEAL}:
        raise _damaged(path, "its manifest is missing, so it was cut short, altered, or never was a backup")
    body = small[MANIFEST]
    if found[MANIFEST][0].encode() != small[SEAL]:
        raise _damaged(path, "its manifest was altered")
    manifest = _read(path, body)
    expected = {entry.path: (entry.sha256, entry.bytes) for entry in manifest.files}
    if wrong := sorted(name for name in expected if expected[name] != found.get(name)):
        raise _damaged(path, f"{wrong[0]} in it is missing or altered")
    if strange := sorted(found.keys() - expected.keys() - {MANIFEST, SEAL}):
        raise _damaged(path, f"{strange[0]} in it is not in its manifest")
    return manifest, found[MANIFEST][0]


def extract(tar: tarfile.TarFile, entry: Entry, target: Path) -> None:
    """Write one member to `target`, with its permission bits, on the disk when this returns."""
    source = tar.extractfile(entry.path)
    if source is None:
        raise tarfile.ReadError(f"{entry.path} is no plain file")
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        shutil.copyfileobj(source, file, MIB)
        file.flush()
        os.fchmod(file.fileno(), entry.mode & 0o777)
        os.fsync(file.fileno())


def _read(path: Path, body: bytes) -> Manifest:
    try:
        if format_of(body) > FORMAT:
            raise BackupTooNew(
                f"{path} has format {format_of(body)} and this version knows formats up to {FORMAT}; "
                "restore it with the version that made it, or a newer one."
            )
        manifest = read_manifest(body)
    except msgspec.DecodeError as error:
        raise _damaged(path, f"its manifest is not one: {error}") from error
    tables = f"{TABLES}/"
    if strange := [
        entry.path
        for entry in manifest.files
        if not belongs(entry.path) or bool(entry.create) != entry.path.startswith(tables)
    ]:
        raise _damaged(path, f"{strange[0]!r} is nothing that a backup holds")
    return manifest


def _damaged(path: Path, what: str) -> BackupDamaged:
    return BackupDamaged(f"{path} is not a whole backup ({what}); nothing was restored: use another copy of it.")
