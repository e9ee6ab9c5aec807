# SPDX-License-Identifier: Apache-2.0
"""The application with a keeper that only writes down whom it was woken for."""

import json
import pathlib

import pytest
import webob

from trove.localcloud import bootstrap, guestimage, layout, store, things
from trove.localcloud.web import app, calls


class Keeper:
    def __init__(self):
        self.woken = []
        self.guarded = 0

    def wake(self, kind, id):
        self.woken.append((kind.__name__, id))

    def guard(self):
        self.guarded += 1

    def console(self, id, lines):
        return f"{lines} lines"


class Web:
    """Requests by a project's user, without a socket."""

    def __init__(self, application, rows, keeper):
        self._application = application
        self.rows, self.keeper = rows, keeper

    def __call__(
        self, verb, path, body=None, project="p", roles="member", version=None, **want
    ):
        request = webob.Request.blank(path, method=verb)
        if body is not None:
            raw = isinstance(body, bytes)
            request.body = body if raw else json.dumps(body).encode()
            if not raw:
                request.content_type = "application/json"
        request.headers["X-Project-Id"] = project
        request.headers["X-User-Id"] = "u"
        request.headers["X-Roles"] = roles
        if version:
            service = path.split("/")[1]
            request.headers["OpenStack-API-Version"] = f"{service} {version}"
        response = request.get_response(self._application)
        expected = want.get("status")
        assert expected is None or response.status_int == expected, response.text
        if response.content_type == "text/html":
            return response.text
        return response.json if response.body else None

    def refused(self, status, *args, **values):
        """The sentence that a request is refused with."""
        [said] = self(*args, status=status, **values).values()
        return said["message"]

    def put(self, row):
        with self.rows.transaction() as tx:
            tx.put(row)

    def get(self, kind, id):
        with self.rows.transaction() as tx:
            return tx.get(kind, id)

    # -- what most tests begin with ----------------------------------------------------

    def image(self):
        return self("GET", "/image/v2/images?tag=mariadb")["images"][0]["id"]

    def volume(self, status="available", **values):
        body = {"volume": {"size": 1, **values}}
        made = self("POST", "/volume/v3/p/volumes", body, status=202)["volume"]
        row = self.get(things.Volume, made["id"])
        row.status = status
        self.put(row)
        return row.id

    def port(self, **values):
        [network] = self("GET", "/network/v2.0/networks?name=trove")["networks"]
        body = {"port": {"network_id": network["id"], **values}}
        return self("POST", "/network/v2.0/ports", body, status=201)["port"]

    def boot(self, status="ACTIVE", version="2.79", **values):
        order = {"name": "db", "imageRef": self.image(), "flavorRef": "1"}
        hints = {key: values.pop(key) for key in list(values) if key[:3] == "os:"}
        order |= {"networks": "none", **values}
        path, body = "/compute/v2.1/servers", {"server": order, **hints}
        made = self("POST", path, body, version=version, status=202)
        row = self.get(things.Server, made["server"]["id"])
        if status:
            row.status, row.doing = status, None
            self.put(row)
        return row.id


@pytest.fixture
def web(tmp_path):
    rows = store.Store(tmp_path / "cloud.sqlite")
    place = layout.Layout(tag="tst", cidr="10.9.0.0/28")
    image = guestimage.GuestImage((pathlib.Path("/layer"),))
    bootstrap.fill(rows, place, image)
    keeper = Keeper()
    settings = bootstrap.Settings("tst", "tstbr0")
    cloud = calls.Cloud(rows, keeper, settings, "http://127.0.0.1:18774")
    yield Web(app.Application(cloud), rows, keeper)
    rows.close()
