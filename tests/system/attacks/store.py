# SPDX-License-Identifier: Apache-2.0
"""What the object store tells a guest that has no URL: run inside one.

Orders on stdin: ``{"store": [address, port], "paths": [..], "headers": [{..}, ..]}``.
A line of JSON for each request: the verb, the path, and the status that came.
"""

import http.client
import json
import sys


def main():
    """Every verb on every path, with each set of headers."""
    orders = json.load(sys.stdin)
    for headers in orders["headers"]:
        for path in orders["paths"]:
            for verb in ("GET", "HEAD", "PUT", "POST", "DELETE", "COPY"):
                line = http.client.HTTPConnection(*orders["store"], timeout=10)
                body = b"x" if verb in ("PUT", "POST") else None
                line.request(verb, path, body=body, headers=headers)
                print(json.dumps([verb, path, line.getresponse().status]))
                line.close()


if __name__ == "__main__":
    main()
