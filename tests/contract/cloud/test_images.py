# SPDX-License-Identifier: Apache-2.0
"""What every cloud's images must do."""

import uuid


def test_an_image_is_found_by_all_its_tags(bench, cloud):
    image = cloud.images.newest(bench.tags)
    assert image.id == bench.image
    assert set(bench.tags) <= set(image.tags)
    assert cloud.images.newest((*bench.tags, "no-such-tag")) is None


def test_an_image_is_shown_or_is_none(bench, cloud):
    assert cloud.images.show(bench.image).id == bench.image
    assert cloud.images.show(str(uuid.uuid4())) is None
