# SPDX-License-Identifier: Apache-2.0
"""All that the tests fetch, into the cache: ``bin/run-tests openstack --set-up``.

For a machine whose cloud has a network of its own, from which no mirror is reached:
this is run outside, the tests inside.
"""

import pathlib
import sys
import tempfile

from tests.openstack import controller
from tests.openstack.conftest import IMAGES, QUICK, build
from tests.openstack.stand import MORE


def main() -> None:
    """The layers of each guest image, and what the host of doc/install is made of."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as work:
        every = MORE.items() if "--all-datastores" in sys.argv[1:] else ()
        for datastore, version in (*IMAGES, *every):
            for more in ((), QUICK):
                build(pathlib.Path(work) / "guest.qcow2", datastore, version, *more)
    controller.root_file_system()
    controller.wheels()


if __name__ == "__main__":
    main()
