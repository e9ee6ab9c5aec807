# SPDX-License-Identifier: Apache-2.0
"""An image in which nothing runs: a boot sector that says so on its console.

For those of a real cloud's servers that need no agent, for they are up in a moment and
take no processor. Nova is told not to wait for long until such a server turns off.
"""

import contextlib
import typing

from tests.contract.cloud import real

SAYS = "nothing runs here"

SAY = bytes.fromhex(
    "fa"  #     cli
    "31c0"  #   xor ax, ax
    "8ed8"  #   mov ds, ax
    "be217c"  # mov si, text
    "ac"  #     next: lodsb
    "84c0"  #   test al, al
    "7411"  #   jz rest
    "88c4"  #   mov ah, al
    "bafd03"  # mov dx, 0x3fd: the first serial port's state
    "ec"  #     wait: in al, dx
    "a820"  #   test al, 0x20: it takes a character
    "74fb"  #   jz wait
    "88e0"  #   mov al, ah
    "b2f8"  #   mov dl, 0xf8
    "ee"  #     out dx, al
    "ebea"  #   jmp next
    "f4"  #     rest: hlt
    "ebfd"  #   jmp rest
)
"""Of an x86 processor in real mode, at 0x7c00; the text is behind it."""


def disk() -> bytes:
    """A megabyte that a BIOS starts."""
    text = f"{SAYS}\r\n" * 8
    code = SAY + text.encode() + b"\0"
    return code.ljust(510, b"\0") + b"\x55\xaa" + bytes(2**20 - 512)


@contextlib.contextmanager
def uploaded() -> typing.Iterator[None]:
    """The cloud has it, for its service's own user."""
    with contextlib.closing(real.connection(real.SERVICE)) as service:
        made = service.image.create_image(
            real.TAG,
            data=disk(),
            disk_format="raw",
            container_format="bare",
            tags=[real.TAG],
            allow_duplicates=True,
            meta={"os_shutdown_timeout": "5", "visibility": "private"},
        )
        try:
            yield
        finally:
            service.image.delete_image(made.id)
