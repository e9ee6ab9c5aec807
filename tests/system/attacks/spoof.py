# SPDX-License-Identifier: Apache-2.0
"""Frames that say they are another's: run inside a guest that was taken over.

Orders on stdin: ``{"mine": ..., "theirs": ..., "host": ..., "host_mac": ...,
"their_mac": ..., "rounds": ...}``. Each frame ends in its own name, so that whoever
listens on the bridge can tell what came through.
"""

import json
import pathlib
import socket
import struct
import sys
import time

CARD = "eth0"
ALL = b"\xff" * 6


def mac(text):
    """Six bytes."""
    return bytes.fromhex(text.replace(":", ""))


def arp(name, source, sender_mac, sender, target):
    """An ARP answer to everybody."""
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2)
    body += sender_mac + socket.inet_aton(sender) + ALL + socket.inet_aton(target)
    return ALL + source + b"\x08\x06" + body + name


def checksum(data):
    """Of an IP header."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def segment(name, source, to, sender, target, port):
    """A TCP segment that opens a connection, with its name as its content."""
    tcp = struct.pack("!HHLLBBHHH", 4321, port, 1, 0, 5 << 4, 2, 1000, 0, 0) + name
    ends = socket.inet_aton(sender) + socket.inet_aton(target)
    size = 20 + len(tcp)
    head = struct.pack("!BBHHHBBH", 0x45, 0, size, 1, 0, 64, 6, 0) + ends
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return to + source + b"\x08\x00" + head + tcp


def main():
    """Sends each frame so many times."""
    o = json.load(sys.stdin)
    me = mac(pathlib.Path(f"/sys/class/net/{CARD}/address").read_text().strip())
    host, them = mac(o["host_mac"]), mac(o["their_mac"])
    port = o["port"]
    frames = [
        arp(b"honest-arp", me, me, o["mine"], o["host"]),
        segment(b"honest-ip", me, host, o["mine"], o["host"], port),
        arp(b"forged-arp-address", me, me, o["theirs"], o["host"]),
        arp(b"forged-arp-host", me, me, o["host"], o["theirs"]),
        arp(b"forged-arp-mac", me, them, o["mine"], o["host"]),
        arp(b"forged-frame-mac", them, them, o["theirs"], o["host"]),
        segment(b"forged-ip", me, host, o["theirs"], o["host"], port),
        segment(b"forged-ip-and-mac", them, host, o["theirs"], o["host"], port),
        ALL + me + b"\x86\xdd" + b"forged-ipv6" * 6,
        ALL + me + b"\x81\x00\x00\x01\x08\x00" + b"forged-vlan" * 6,
    ]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as card:
        card.bind((CARD, 0))
        for _ in range(o["rounds"]):
            for frame in frames:
                card.send(frame)
            time.sleep(0.1)
    print(json.dumps({"sent": len(frames)}))


if __name__ == "__main__":
    main()
