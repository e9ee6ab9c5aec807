# SPDX-License-Identifier: Apache-2.0
"""What ours stands beside: the engine's tool, and upstream Trove's method.

The tool writes a file and reads it: as it is, and through the same ``zstd``. All ways
what it made is on the disk at the end, as ours is. Upstream's compresses with ``gzip``,
and brings the stream to the object store and has it back in one go; it is encrypted
with ``openssl`` as it was up to Ussuri, since ours is (its later releases encrypt
nothing). What it restores it leaves to the kernel to write.

Each way is steps of ``piped.py``, as argument lists.
"""

import dataclasses
import typing

from tests.bench.piped import Step

PRESS = ("zstd", "-1", "--quiet", "--stdout")
UNPRESS = ("zstd", "--quiet", "--decompress", "--stdout")
GUNZIP = ("gzip", "--decompress", "--stdout")
AS_POSTGRES = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
ENGINE = "/usr/lib/postgresql/15/bin"

Argv = tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Methods:
    """Of one engine; all that they leave is below ``home``.

    ``whole`` makes what was unpacked a data directory, ``theirs`` does so upstream.
    """

    home: str
    save: Argv
    unpack: Argv
    whole: tuple[Argv, ...]
    theirs: tuple[Argv, ...]

    def saved(self, *between: Argv) -> list[Step]:
        """The tool to a file, through the program ``between`` if there is one."""
        return [{"stages": [self.save, *between], "sink": self._file(between)}]

    def had_back(self, *between: Argv) -> list[Step]:
        """The file to a data directory."""
        stages = [*between, self.unpack]
        first: Step = {"stages": stages, "source": self._file(between)}
        sync = ("sync", "--file-system", self.there)
        return [first, *({"stages": [each]} for each in (*self.whole, sync))]

    def _file(self, between: tuple[Argv, ...]) -> str:
        return f"{self.home}/{'pressed' if between else 'raw'}"

    def brought(self, urls: list[str], level: int) -> list[Step]:
        """Upstream's backup."""
        stages = [self.save, ("gzip", f"-{level}", "--stdout"), self._openssl()]
        return [{"stages": stages, "brought": urls}]

    def fetched(self, urls: list[str]) -> list[Step]:
        """Upstream's restore."""
        stages = [self._openssl("-d"), GUNZIP, self.unpack]
        first: Step = {"stages": stages, "fetched": urls}
        return [first, *({"stages": [each]} for each in self.theirs)]

    def _openssl(self, *how: str) -> Argv:
        secret = f"file:{self.home}/secret"
        words = ("-aes-256-cbc", "-md", "sha512", "-pbkdf2", "-iter", "10000", "-salt")
        return ("openssl", "enc", *words, "-pass", secret, *how)

    @property
    def there(self) -> str:
        """The directory that is restored to."""
        return f"{self.home}/back"

    def empty(self) -> list[Step]:
        """Nothing of before is there, and everything is on the disk."""
        return [
            {"stages": [("rm", "--recursive", "--force", self.home)]},
            {"stages": [("mkdir", "--parents", self.there)]},
            {"stages": [("echo", "a secret")], "sink": f"{self.home}/secret"},
            {"stages": [("sync",)]},
        ]

    def anew(self) -> list[Step]:
        """The directory that is restored to is empty."""
        return [
            {"stages": [("rm", "--recursive", "--force", self.there)]},
            {"stages": [("mkdir", self.there)]},
            {"stages": [("sync",)]},
        ]


def _mariadb(home: str) -> Methods:
    there = f"{home}/back"
    save: Argv = ("mariadb-backup", "--backup", "--stream=mbstream", "--user=root")
    save += ("--socket=/run/mysqld/mysqld.sock", f"--target-dir={home}/temporary")
    prepare = ("mariadb-backup", "--prepare", f"--target-dir={there}")
    own = ("chown", "--recursive", "mysql:mysql", there)
    return Methods(
        home,
        (*save, "--log-copy-interval=100"),
        ("mbstream", "--extract", f"--directory={there}"),
        ((*prepare, "--use-memory=64M"), own),
        (prepare, own),
    )


def _postgresql(home: str) -> Methods:
    there = f"{home}/back"
    save: Argv = (f"{ENGINE}/pg_basebackup", "--pgdata=-", "--format=tar")
    save += ("--wal-method=fetch", "--checkpoint=fast", "--host=/run/postgresql")
    own = ("chown", "--recursive", "postgres:postgres", there)
    return Methods(
        home,
        (*AS_POSTGRES, *save),
        ("tar", "--extract", f"--directory={there}", "--file=-"),
        ((f"{ENGINE}/pg_verifybackup", "--exit-on-error", there),),
        (own,),
    )


METHODS: dict[str, typing.Callable[[str], Methods]] = {
    "mariadb": _mariadb,
    "postgresql": _postgresql,
}
"""By the datastore; given a directory on the volume, which is made and removed."""
