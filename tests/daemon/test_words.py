"""Words that wake the main thread: none is lost, and a signal ends the wait at once, whenever it comes."""

import os
import subprocess
import sys
import threading
from pathlib import Path

from syncd.daemon import Word, Words

ROOT = Path(__file__).parent.parent.parent

# A thread sends the signal at a moment of its own choosing, again and again: some come just before the main thread
# falls asleep. One that is only looked at when the wait is over takes a minute here, and the test's time is up.
ROUNDS = """
import os, signal, sys, threading
from syncd.daemon import Word, Words

words = Words()
signal.signal(signal.SIGTERM, lambda *_: words.put(Word.STOP))
words.hear_signals()
for number in range(2000):
    threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGTERM)).start()
    for _ in range(number % 97 * 20):
        pass
    while words.get(60.0) is None:
        pass
words.hear_none()
print("heard", number + 1)
"""


def test_words_come_in_order_and_nothing_said_is_none() -> None:
    words = Words()
    assert words.get(0.0) is None
    words.put(Word.RELOAD)
    words.put(Word.STOP)
    assert [words.get(60.0), words.get(60.0), words.get(0.0)] == [Word.RELOAD, Word.STOP, None]


def test_a_word_of_another_thread_ends_the_wait() -> None:
    words = Words()
    threading.Thread(target=words.put, args=(Word.BROKEN,)).start()
    heard = words.get(60.0) or words.get(60.0)
    assert heard is Word.BROKEN


def test_more_words_than_the_pipe_holds_are_kept() -> None:
    words = Words()
    for _ in range(100_000):
        words.put(Word.RELOAD)
    assert all(words.get(0.0) is Word.RELOAD for _ in range(100_000))


def test_a_signal_is_heard_whenever_it_comes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ROUNDS], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert done.stdout == "heard 2000\n", done.stderr


def test_words_are_heard_beyond_a_thousand_open_files() -> None:
    """A daemon with many connections open has descriptors that select() refuses."""
    many = [os.open(os.devnull, os.O_RDONLY) for _ in range(1030)]
    try:
        words = Words()
        threading.Thread(target=words.put, args=(Word.STOP,)).start()
        assert (words.get(60.0) or words.get(60.0)) is Word.STOP
    finally:
        for one in many:
            os.close(one)
