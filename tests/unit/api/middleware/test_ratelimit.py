# SPDX-License-Identifier: Apache-2.0
"""A project's rate is its own, comes back evenly, and costs bounded memory."""

from trove.api.middleware.ratelimit import Buckets, limits


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_minutes_worth_and_then_one_at_a_time() -> None:
    clock = Clock()
    buckets = Buckets(limits(3, 3, 3, 3, 3), clock)
    assert [buckets.take("p", "POST", "/instances") for _ in range(3)] == [None] * 3
    reached = buckets.take("p", "POST", "/instances")
    assert reached is not None
    limit, wait = reached
    assert (limit.verb, limit.uri, wait) == ("POST", "*", 20)
    clock.now += 20
    assert buckets.take("p", "POST", "/instances") is None
    assert buckets.take("p", "POST", "/instances") is not None


def test_projects_and_verbs_are_apart() -> None:
    buckets = Buckets(limits(1, 1, 1, 1, 1), Clock())
    assert buckets.take("p", "POST", "/x") is None
    assert buckets.take("q", "POST", "/x") is None
    assert buckets.take("p", "GET", "/x") is None
    assert buckets.take("p", "PATCH", "/x") is None
    assert buckets.take("p", "POST", "/x") is not None


def test_management_has_a_limit_more() -> None:
    buckets = Buckets(limits(10, 1, 1, 1, 1), Clock())
    assert buckets.take("p", "POST", "/mgmt/instances/7/action") is None
    reached = buckets.take("p", "POST", "/mgmt/instances/7/action")
    assert reached is not None and reached[0].uri == "*/mgmt"
    # what was refused took nothing from the other
    (post, *_) = buckets.left("p")
    assert post[1] == 9


def test_nought_is_no_limit() -> None:
    assert limits(0, 0, 0, 0, 0) == []
    assert Buckets([], Clock()).take("p", "GET", "/") is None


def test_what_is_left() -> None:
    clock = Clock()
    buckets = Buckets(limits(2, 0, 0, 0, 0), clock)
    assert [left for _, left, _ in buckets.left("p")] == [2]
    buckets.take("p", "POST", "/")
    buckets.take("p", "POST", "/")
    ((_, left, wait),) = buckets.left("p")
    assert (left, wait) == (0, 30)


def test_memory_is_bounded() -> None:
    buckets = Buckets(limits(5, 0, 0, 0, 0), Clock(), most=100)
    for n in range(1000):
        buckets.take(f"p{n}", "POST", "/")
    assert len(buckets._left) == 100
    assert buckets.left("p999")[0][1] == 4
