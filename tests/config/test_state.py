"""The state directory is ours alone, and the secret in it is whole or absent."""

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.clock import SystemClock
from syncd.config.state import Unsafe, derive, make_secret, prepare_folder, read_secret, read_signed_id, sign_id

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to other users")
STRANGER = 12345


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_missing_folder_is_made_for_us_alone(tmp_path: Path) -> None:
    prepare_folder(tmp_path / "a" / "b")
    assert mode(tmp_path / "a" / "b") == 0o700


def test_a_folder_that_others_may_read_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    prepare_folder(tmp_path)
    assert mode(tmp_path) == 0o700


@pytest.mark.parametrize("loose", [0o770, 0o777, 0o702])
def test_a_folder_that_others_may_write_into_is_refused(tmp_path: Path, loose: int) -> None:
    tmp_path.chmod(loose)
    with pytest.raises(Unsafe, match=f"others may write into .* chmod 700 {tmp_path}"):
        prepare_folder(tmp_path)
    assert mode(tmp_path) == loose


def test_a_link_is_judged_at_its_target(tmp_path: Path) -> None:
    """H154."""
    target = tmp_path / "target"
    target.mkdir(mode=0o700)
    (tmp_path / "state").symlink_to(target)
    prepare_folder(tmp_path / "state")
    target.chmod(0o777)
    with pytest.raises(Unsafe, match="others may write"):
        prepare_folder(tmp_path / "state")


def test_a_link_to_nowhere_and_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    for wrong in ("link", "file"):
        with pytest.raises(Unsafe, match="cannot be used"):
            prepare_folder(tmp_path / wrong)


@needs_root
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, STRANGER, STRANGER)
    with pytest.raises(Unsafe, match=f"belongs to user {STRANGER}"):
        prepare_folder(tmp_path)
    os.chown(tmp_path, 0, 0)


@needs_root
def test_a_link_that_another_user_made_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir(mode=0o700)
    link = tmp_path / "state"
    link.symlink_to(target)
    os.chown(link, STRANGER, STRANGER, follow_symlinks=False)
    with pytest.raises(Unsafe, match="another user made"):
        prepare_folder(link)


def test_the_secret_is_made_once_and_for_us_alone(tmp_path: Path) -> None:
    assert read_secret(tmp_path) is None
    secret = make_secret(tmp_path, SystemClock())
    assert len(secret) >= 32
    assert make_secret(tmp_path, SystemClock()) == read_secret(tmp_path) == secret
    assert mode(tmp_path / "secret") == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_many_makers_at_once_agree_on_one_secret(tmp_path: Path) -> None:
    made: list[str] = []
    start = threading.Barrier(8)

    def make() -> None:
        start.wait()
        made.append(make_secret(tmp_path, SystemClock()))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len(set(made)) == 1


@pytest.mark.parametrize("loose", [0o640, 0o604, 0o622])
def test_a_secret_that_others_may_read_is_refused(tmp_path: Path, loose: int) -> None:
    make_secret(tmp_path, SystemClock())
    (tmp_path / "secret").chmod(loose)
    with pytest.raises(Unsafe, match="chmod 600"):
        make_secret(tmp_path, SystemClock())


def test_a_secret_that_is_a_link_cut_short_or_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    (tmp_path / "other").write_text("x" * 64)
    path.symlink_to(tmp_path / "other")
    with pytest.raises(Unsafe, match="cannot be read"):
        read_secret(tmp_path)
    path.unlink()
    for content in (b"", b"half", b"\xff" * 64):
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(Unsafe, match=r"is damaged|is no text"):
            read_secret(tmp_path)


def test_keys_for_two_purposes_or_of_two_secrets_differ() -> None:
    keys = {derive(secret, purpose) for secret in ("a" * 64, "b" * 64) for purpose in ("links", "requests", "")}
    assert len(keys) == 6
    assert all(len(key) == 32 for key in keys)
    assert derive("a" * 64, "links") == derive("a" * 64, "links")


@given(name=st.text(max_size=40))
def test_a_signed_id_comes_back_as_it_was(name: str) -> None:
    key = derive("a" * 64, "requests")
    assert read_signed_id(key, sign_id(key, name)) == name


@given(name=st.text("ab.9", max_size=10), at=st.integers(0, 40), letter=st.sampled_from("abz.09ñ\ud800"))
def test_a_signed_id_with_any_letter_changed_is_not_ours(name: str, at: int, letter: str) -> None:
    key = derive("a" * 64, "requests")
    signed = sign_id(key, name)
    at %= len(signed)
    forged = signed[:at] + letter + signed[at + 1 :]
    assert read_signed_id(key, forged) == (name if forged == signed else None)


@pytest.mark.parametrize("text", ["", ".", "r1", "r1.", ".0123456789abcdef", "r1.0123456789ABCDEF"])
def test_what_carries_no_mark_of_ours_is_not_ours(text: str) -> None:
    assert read_signed_id(derive("a" * 64, "requests"), text) is None
    assert read_signed_id(derive("a" * 64, "requests"), sign_id(derive("b" * 64, "requests"), "r1")) is None
