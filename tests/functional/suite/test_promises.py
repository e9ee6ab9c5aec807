# SPDX-License-Identifier: Apache-2.0
"""What is promised of a request: exactly its quota, once for its key, or nothing."""

import threading

from trove.cloud import protocol


def at_once(*deeds):
    """What each answers, all begun at the same moment."""
    found = [None] * len(deeds)
    gate = threading.Barrier(len(deeds))

    def run(number, deed):
        gate.wait(30)
        found[number] = deed()

    threads = [
        threading.Thread(target=run, args=each, daemon=True)
        for each in enumerate(deeds)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert all(answer is not None for answer in found)
    return found


def test_twelve_at_once_against_a_quota_of_ten(client):
    answers = at_once(
        *(
            lambda n=n: client.ask("POST", "instances", client.order(f"db{n}"))
            for n in range(12)
        )
    )
    assert sorted(answer.status for answer in answers) == [200] * 10 + [413] * 2
    refused = next(answer for answer in answers if answer.status == 413)
    assert "instances" in refused.json["overLimit"]["message"]
    made = [a.json["instance"]["id"] for a in answers if a.status == 200]
    assert sum(client.usage()["instances"]) == 10
    client.ready(*made)
    assert client.usage()["instances"] == (10, 0)
    assert client.usage()["ram"] == (5120, 0)
    client.delete(*made)
    assert set(client.usage().values()) == {(0, 0)}


def test_a_cloud_that_refuses(deployment, client):
    """The instance says why, and owns nothing; its quota is back."""

    def refuse(name, said):
        if name == "compute.boot" and said["order"].name == "refused":
            raise protocol.Refused("no host has that much memory", status=403)

    with deployment.before(refuse):
        made = client.create("refused")
        client.become(("ERROR", ""), made)
    assert "no host has that much memory" in client.show(made)["fault"]["message"]
    assert deployment.things(made) == []
    assert set(client.usage().values()) == {(0, 0)}
    client.delete(made)
    assert set(client.usage().values()) == {(0, 0)}


def test_a_guest_that_cannot(deployment, client):
    made = client.create("broken")
    client.become(("ERROR", ""), made)
    assert "the toy is broken" in client.show(made)["fault"]["message"]
    assert deployment.things(made) == []
    assert set(client.usage().values()) == {(0, 0)}
    client.delete(made)


def test_the_same_key_is_the_same_instance(client):
    key = {"Idempotency-Key": "order 4711"}
    answers = at_once(
        *[lambda: client.ask("POST", "instances", client.order("once"), headers=key)]
        * 3
    )
    assert {answer.status for answer in answers} == {200}
    (made,) = {answer.json["instance"]["id"] for answer in answers}
    assert list(client.states()) == [made]
    in_xml = client.ask(
        "POST", "instances", client.order("once"), xml=True, headers=key
    )
    assert in_xml.xml["instance"]["id"] == made
    other = client.ask("POST", "instances", client.order("twice"), headers=key)
    assert (other.status, list(other.json)) == (409, ["conflict"])
    assert list(client.states()) == [made]
    client.ready(made)
    client.delete(made)
