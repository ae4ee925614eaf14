"""Where our own way to a partition leads, against the library's."""

from __future__ import annotations

import kafka
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner import murmur2

from shared.transport.kafka.publish import page_batches
from shared.transport.kafka.publish.page_batches import partition_of


@given(st.binary(max_size=200), st.integers(1, 50))
def test_a_key_goes_to_the_partition_that_every_other_client_would_choose(key: bytes, count: int) -> None:
    assert partition_of(key, range(count)) == (murmur2(key) & 0x7FFFFFFF) % count


def test_it_is_used_with_the_version_that_it_was_compared_with_only() -> None:
    assert kafka.__version__ == page_batches.VERSION, "compare again, then name the new version"
