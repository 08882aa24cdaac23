"""The format of a backup: a tar of BSON, compressed by zstd, and encrypted in the age format when a key is given.

``age -d -i key.txt FILE | zstd -d | tar x`` unpacks it without us; the parts of a collection, one after another, are
what ``bsondump`` and ``mongorestore`` read. The first entry, ``header.json``, says what it is, the last,
``manifest.json``, how many documents and bytes each collection has, with a SHA-256. Nothing is ever held whole.
"""

from __future__ import annotations

import hashlib
import io
import struct
import tarfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import orjson
import zstandard

from bridge.documents.encryption import AGE, WrongKey, decrypt_stream, encrypt_stream
from bridge.errors import BridgeError

FORMAT: Final = 1
HEADER, MANIFEST = "header.json", "manifest.json"
LARGEST_PART: Final = 128 * 2**20
"""Bytes of a part, at most; the driver hands over 16 MiB and one document more."""


class BadBackup(BridgeError):
    """The file is not a whole backup that this key opens; nothing was written."""

    slug, status, title = "bad-backup", 422, "This is not a whole backup"


@dataclass(slots=True)
class Sum:
    """The totals of a collection: documents, bytes, SHA-256."""

    documents: int = 0
    size: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    def add(self, data: bytes, documents: int) -> None:
        """Count a part."""
        self.documents += documents
        self.size += len(data)
        self.digest.update(data)

    def told(self) -> dict[str, Any]:
        """Return it as the manifest has it."""
        return {"documents": self.documents, "bytes": self.size, "sha256": self.digest.hexdigest()}


def split(part: bytes) -> Iterator[bytes]:
    """Yield the BSON documents of a part: each begins with its length; raises ``BadBackup``."""
    at = 0
    while at < len(part):
        (length,) = struct.unpack_from("<i", part, at) if at + 4 <= len(part) else (0,)
        if length < 5 or at + length > len(part):
            raise BadBackup("A part of the backup is cut off.")
        yield part[at : at + length]
        at += length


class BackupWriter:
    """Writes a backup to ``out``, which stays open; use it within ``writing``."""

    def __init__(self, out: BinaryIO) -> None:
        self._compressor: Any = zstandard.ZstdCompressor(level=3, write_checksum=True).stream_writer(out, closefd=False)
        self._tar = tarfile.open(fileobj=self._compressor, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - close() does
        self._sums: dict[str, Sum] = {}
        self._parts = 0

    def header(self, said: Mapping[str, Any]) -> None:
        """Write what it is; comes first."""
        self._entry(HEADER, orjson.dumps({"format": FORMAT, **said}))

    def collection(self, name: str) -> None:
        """Begin a collection, which may be empty."""
        self._sums[name] = Sum()

    def part(self, name: str, data: bytes) -> int:
        """Write some of a collection's documents; returns how many."""
        documents = sum(1 for _ in split(data))
        self._sums[name].add(data, documents)
        self._parts += 1
        self._entry(f"{name}/{self._parts:08}.bson", data)
        return documents

    def close(self) -> dict[str, Any]:
        """Write the manifest and end; returns it."""
        manifest = {"collections": {name: total.told() for name, total in self._sums.items()}}
        self._entry(MANIFEST, orjson.dumps(manifest))
        self._tar.close()
        self._compressor.close()
        return manifest

    def _entry(self, name: str, data: bytes) -> None:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        self._tar.addfile(entry, io.BytesIO(data))


@contextmanager
def writing(out: BinaryIO, recipients: Sequence[str]) -> Generator[BackupWriter]:
    """Give a writer to ``out``, through age when there are ``recipients`` (``age1…`` or SSH public keys)."""
    if not recipients:
        yield BackupWriter(out)
        return
    with encrypt_stream(out, recipients) as pipe:
        yield BackupWriter(pipe)


class BackupReader:
    """The reader of a backup; ``identity`` is the file of the key, for one that is encrypted."""

    def __init__(self, path: Path, identity: Path | None) -> None:
        self._path = path
        self._identity = identity

    def verify(self, keep: str = "") -> tuple[dict[str, Any], dict[str, Any], list[bytes]]:
        """Read the whole file; returns header, manifest and the BSON documents of ``keep``, a small collection.

        Raises ``BadBackup`` unless every byte is as written.
        """
        expected: dict[str, dict[str, Any]] = {}
        pending: list[bytes] = []
        for name, data in self._entries():  # to its end, after which the checksums of age and zstd come
            if name in (HEADER, MANIFEST):
                expected[name] = orjson.loads(data)
            elif _collection(name) == keep:
                pending += split(data)
        if MANIFEST not in expected:
            raise BadBackup("The backup is cut off: its end is missing.")
        return expected[HEADER], expected[MANIFEST], pending

    def parts(self) -> Iterator[tuple[str, bytes]]:
        """Yield collection and documents, part by part; checks again what it reads."""
        for name, data in self._entries():
            if name not in (HEADER, MANIFEST):
                yield _collection(name), data

    def _entries(self) -> Iterator[tuple[str, bytes]]:
        """Yield every entry; the manifest, which is checked, comes last."""
        try:
            with self._path.open("rb") as file, self._opened(file) as plain:
                yield from _checked(_untarred(plain))
        except WrongKey as error:
            raise BadBackup(str(error)) from None
        except (tarfile.TarError, zstandard.ZstdError, EOFError, orjson.JSONDecodeError):
            raise BadBackup("The backup is damaged.") from None

    @contextmanager
    def _opened(self, file: BinaryIO) -> Generator[BinaryIO]:
        encrypted = file.read(len(AGE)) == AGE
        file.seek(0)
        if not encrypted:
            yield file
            return
        if self._identity is None:
            raise BadBackup("The backup is encrypted: name the file of the key with --identity.")
        with decrypt_stream(file, self._identity) as pipe:
            yield pipe
            pipe.read()  # to the end, so that what age checks last is checked


def _collection(name: str) -> str:
    return name.rpartition("/")[0]


def _untarred(plain: BinaryIO) -> Iterator[tuple[str, bytes]]:
    unpacking = zstandard.ZstdDecompressor().stream_reader(plain, read_across_frames=False, closefd=False)
    with unpacking as tar_bytes, tarfile.open(fileobj=cast("Any", tar_bytes), mode="r|") as tar:
        for entry in tar:
            if entry.size > LARGEST_PART:
                raise BadBackup("The backup is damaged.")
            content = tar.extractfile(entry)
            yield entry.name, content.read() if content else b""
        while tar_bytes.read(2**20):
            pass


def _checked(entries: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Compare what comes with the manifest, before the manifest is given on."""
    sums: dict[str, Sum] = {}
    for number, (name, data) in enumerate(entries):
        if (number == 0) != (name == HEADER) or (name == HEADER and orjson.loads(data).get("format") != FORMAT):
            raise BadBackup("This is no backup of ours, or of a later release.")
        if name == MANIFEST:
            _compare(sums, orjson.loads(data)["collections"])
        elif name != HEADER:
            part = sums.setdefault(_collection(name), Sum())
            part.add(data, sum(1 for _ in split(data)))
        yield name, data


def _compare(sums: Mapping[str, Sum], expected: Mapping[str, Any]) -> None:
    counts = {name: total.told() for name, total in sums.items()}
    if any(expected.get(name) != total for name, total in counts.items()) or any(
        total["documents"] for name, total in expected.items() if name not in counts
    ):
        raise BadBackup("The backup is damaged: what it holds is not what its manifest says.")
