# SPDX-License-Identifier: Apache-2.0
"""The bill of materials of an image: SPDX 2.3, as JSON.

Read from the image itself: its dpkg database, and the metadata of the agent's
libraries. It has no time but the image's, so the same image has the same bill.
"""

import dataclasses
import datetime
import email.parser
import pathlib
import re
import typing
import urllib.parse

from trove.localcloud import agentlayer

STATUS = "var/lib/dpkg/status"
INSTALLED = "install ok installed"


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Part:
    """A package of the image; ``purl`` is its name among all packages."""

    kind: str
    name: str
    version: str
    purl: str
    supplier: str = "NOASSERTION"
    licence: str = "NOASSERTION"
    source: str = ""

    @property
    def id(self) -> str:
        """Its name in the document."""
        said = f"{self.kind}-{self.name}-{self.version}"
        return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.]+", "-", said)


def parts(tree: pathlib.Path, suite: str) -> list[Part]:
    """Everything that was installed in the image, in order."""
    return sorted([*_debian(tree, suite), *_python(tree)])


def document(
    name: str, found: typing.Sequence[Part], uuid: str, epoch: int
) -> dict[str, typing.Any]:
    """The bill."""
    made = datetime.datetime.fromtimestamp(epoch, datetime.UTC)
    image = {
        "SPDXID": "SPDXRef-Image",
        "name": name,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "primaryPackagePurpose": "OPERATING-SYSTEM",
    }
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-Image")]
    relations += [("SPDXRef-Image", "CONTAINS", part.id) for part in found]
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": f"urn:uuid:{uuid}",
        "creationInfo": {
            "created": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": ["Tool: trove-guest-image"],
        },
        "packages": [image, *map(_package, found)],
        "relationships": [
            {
                "spdxElementId": one,
                "relationshipType": kind,
                "relatedSpdxElement": other,
            }
            for one, kind, other in relations
        ],
    }


def _package(part: Part) -> dict[str, typing.Any]:
    return {
        "SPDXID": part.id,
        "name": part.name,
        "versionInfo": part.version,
        "supplier": part.supplier,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": part.licence,
        "copyrightText": "NOASSERTION",
        **({"sourceInfo": f"built from {part.source}"} if part.source else {}),
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": part.purl,
            }
        ],
    }


def _debian(tree: pathlib.Path, suite: str) -> typing.Iterator[Part]:
    for block in (tree / STATUS).read_text().split("\n\n"):
        said = email.parser.Parser().parsestr(block, headersonly=True)
        if said["Status"] != INSTALLED:
            continue
        name, version = said["Package"], said["Version"]
        arch = said["Architecture"]
        yield Part(
            kind="deb",
            name=name,
            version=version,
            purl=f"pkg:deb/debian/{_quoted(name)}@{_quoted(version)}"
            f"?arch={arch}&distro={suite}",
            supplier=f"Organization: {said['Maintainer']}",
            source=said["Source"] or name,
        )


def _python(tree: pathlib.Path) -> typing.Iterator[Part]:
    for file in (tree / agentlayer.SITE).glob("*.dist-info/METADATA"):
        said = email.parser.Parser().parsestr(file.read_text(), headersonly=True)
        name, version = said["Name"], said["Version"]
        plain = re.sub(r"[-_.]+", "-", name).lower()
        yield Part(
            kind="pypi",
            name=name,
            version=version,
            purl=f"pkg:pypi/{_quoted(plain)}@{_quoted(version)}",
            licence=_licence(said["License-Expression"]),
        )


def _licence(expression: str | None) -> str:
    """Only an expression is a licence to SPDX; what is written freely is not."""
    return expression or "NOASSERTION"


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe=".-~+").replace("+", "%2B")
