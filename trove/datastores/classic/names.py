# SPDX-License-Identifier: Apache-2.0
"""Names that such engines have in common: pure data, safe to import on any machine."""

import hashlib

CHARACTER_SETS = (
    "armscii8 ascii big5 binary cp1250 cp1251 cp1256 cp1257 cp850 cp852 cp866 cp932 "
    "dec8 eucjpms euckr gb2312 gbk geostd8 greek hebrew hp8 keybcs2 koi8r koi8u latin1 "
    "latin2 latin5 latin7 macce macroman sjis swe7 tis620 ucs2 ujis utf16 utf16le "
    "utf32 utf8 utf8mb3 utf8mb4"
)

RESERVED_DATABASES = frozenset(
    "mysql information_schema performance_schema sys trove_internal".split()
)

RAW_DIRECTORY = "#mysql50#"
"""What follows it the engine takes, or once took, for the raw name of a directory."""

LOADER_PREFIX = "trove_loader_"
"""How the names of accounts begin that dumps are loaded by."""


def loader(database: str) -> str:
    """The account that loads dumps into a database, and owns what it made."""
    return f"{LOADER_PREFIX}{hashlib.sha256(database.encode()).hexdigest()[:16]}"
