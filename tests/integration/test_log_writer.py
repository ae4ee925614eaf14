"""The writer of our log at descriptors that block, fail, or are closed."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from shared.log_writer import LogWriter


class _Drops(list[int]):
    """The number of dropped lines at each call."""

    def __init__(self) -> None:
        super().__init__()
        self.called = threading.Event()

    def __call__(self, count: int) -> None:
        self.append(count)
        self.called.set()


@contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    try:
        yield read, write
    finally:
        for descriptor in (read, write):
            with suppress(OSError):
                os.close(descriptor)


def _read_lines(descriptor: int, count: int | None) -> list[str]:
    """Returns `count` lines, or all until the other end is closed."""
    data = b""
    while count is None or data.count(b"\n") < count:
        more = os.read(descriptor, 65536)
        if not more:
            break
        data += more
    return data.decode().splitlines()


def test_a_reader_that_does_not_read_blocks_nothing_and_learns_later_how_much_it_missed() -> None:
    drops = _Drops()
    with _pipe() as (read, write):
        writer = LogWriter(write, on_dropped=drops, capacity=2000)
        for number in range(5000):
            writer.write(f"{number:099}\n")  # 500 KB into a pipe of 64
        assert not writer.finish(0.1)
        with ThreadPoolExecutor(1) as reader:
            read_on = reader.submit(lambda: _read_lines(read, None))
            assert writer.finish(10)
            os.close(write)
            lines = read_on.result(10)
    numbers = [int(line) for line in lines]
    assert numbers == sorted(set(numbers))
    assert len(numbers) + sum(drops) == 5000
    assert sum(drops) > 0


def test_lines_wait_for_a_full_disk_to_have_room_again(tmp_path: Path) -> None:
    drops = _Drops()
    descriptor = os.open("/dev/full", os.O_WRONLY)
    writer = LogWriter(descriptor, on_dropped=drops, capacity=3)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        os.write(descriptor, b"x")
    while not drops:
        for number in range(200):
            writer.write(f"{number}\n")
        with (tmp_path / "log").open("ab") as file:
            os.dup2(file.fileno(), descriptor)
        drops.called.wait(5)
    assert writer.finish(5)
    os.close(descriptor)
    assert (tmp_path / "log").read_text().startswith("0\n1\n")


def test_a_closed_reader_does_not_delay_the_end() -> None:
    with _pipe() as (read, write):
        os.close(read)
        writer = LogWriter(write, on_dropped=lambda _: None)
        writer.write("unheard\n")
        assert writer.finish(5)


def test_a_descriptor_that_another_process_made_non_blocking_still_takes_every_line() -> None:
    with _pipe() as (read, write):
        os.set_blocking(write, False)
        writer = LogWriter(write, on_dropped=lambda _: None)
        for number in range(3000):
            writer.write(f"{number:099}\n")
        lines = _read_lines(read, 3000)
        assert writer.finish(5)
    assert [int(line) for line in lines] == list(range(3000))


def test_lines_of_several_threads_and_of_any_length_come_out_whole() -> None:
    with _pipe() as (read, write):
        writer = LogWriter(write, on_dropped=lambda _: None)

        def log(letter: str) -> None:
            for length in range(1, 6000, 50):
                writer.write(letter * length + "\n")

        threads = [threading.Thread(target=log, args=(letter,)) for letter in "abcd"]
        for thread in threads:
            thread.start()
        lines = _read_lines(read, 4 * len(range(1, 6000, 50)))
        for thread in threads:
            thread.join()
        assert writer.finish(5)
    assert all(len(set(line)) == 1 for line in lines)
    assert sorted(map(len, lines)) == sorted(4 * list(range(1, 6000, 50)))


def test_half_a_surrogate_pair_does_not_end_the_log() -> None:
    with _pipe() as (read, write):
        writer = LogWriter(write, on_dropped=lambda _: None)
        writer.write('{"name": "\ud83d"}\n')
        assert _read_lines(read, 1) == ['{"name": "\\ud83d"}']
        assert writer.finish(5)
