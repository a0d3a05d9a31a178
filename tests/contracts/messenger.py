"""What every messenger promises, whatever it sends over."""

from collections.abc import Callable, Iterator

import pytest

from syncd.core.letter import Letter
from syncd.errors import Ambiguous, AuthFailed, Permanent, Transient
from syncd.ports import Messenger

HOSTILE_NAMES = ["Eva\r\nBcc: all@example.com", "Eva\x00\x1b[31m", "\u202eevA", "<script>", "{{7*7}}"]


class Peer:
    """A service in the state a test wants; `taken` counts the messages it really took."""

    messenger: Messenger
    letter: Letter
    taken: Callable[[], int]
    fail: Callable[[str], None]  # "busy" | "refused" | "login" | "lost"


class MessengerContract:
    """One class of tests for each messenger; the subclass offers `peer`."""

    @pytest.fixture
    def peer(self) -> Iterator[Peer]:
        raise NotImplementedError

    def test_a_message_is_taken_once_and_has_an_id(self, peer: Peer) -> None:
        assert peer.messenger.send(peer.letter)
        assert peer.taken() == 1
        assert peer.messenger.channel is peer.letter.channel

    def test_a_busy_service_is_asked_later_and_took_nothing(self, peer: Peer) -> None:
        peer.fail("busy")
        with pytest.raises(Transient):
            peer.messenger.send(peer.letter)
        assert peer.taken() == 0

    def test_a_person_who_is_refused_is_refused_for_good(self, peer: Peer) -> None:
        peer.fail("refused")
        with pytest.raises(Permanent):
            peer.messenger.send(peer.letter)
        assert peer.taken() == 0

    def test_a_refused_login_asks_for_a_person(self, peer: Peer) -> None:
        peer.fail("login")
        with pytest.raises(AuthFailed):
            peer.messenger.send(peer.letter)
        assert peer.taken() == 0

    def test_an_answer_that_is_lost_leaves_nobody_sure(self, peer: Peer) -> None:
        peer.fail("lost")
        with pytest.raises(Ambiguous):
            peer.messenger.send(peer.letter)
        assert peer.taken() == 1
