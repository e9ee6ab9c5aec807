# SPDX-License-Identifier: Apache-2.0
"""What the package's AppArmor profile lets the server do, where a guest has AppArmor.

The profile knows Debian's places. Ours are added where it includes what a machine adds.
"""

from trove.datastores.classic.places import Places
from trove.datastores.mysql.agent.rules import WORK
from trove.datastores.protocol import Host

PROFILE = "/etc/apparmor.d/usr.sbin.mysqld"
ADDED = "/etc/apparmor.d/local/usr.sbin.mysqld"
PARSER = "/usr/sbin/apparmor_parser"


def admit(host: Host, places: Places) -> None:
    """Has the server be let into its places; nothing where no profile keeps it out."""
    profile = host.path(PROFILE)
    if not (host.exists(profile) and host.exists(host.path(PARSER))):
        return
    lines = [f"{places.settings}/** r,"]
    for path in (places.volume, host.path(WORK)):
        lines += [f"{path}/ r,", f"{path}/** rwk,"]
    text = "".join(f"{line}\n" for line in lines)
    if host.write_file(host.path(ADDED), text):
        # Without AppArmor in the kernel it fails, and is not needed.
        host.run([PARSER, "--replace", profile], check=False)
