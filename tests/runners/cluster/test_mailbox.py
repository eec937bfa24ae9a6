"""What the mailbox knows of folders on nodes."""

from __future__ import annotations

from runners.cluster.mailbox import Mailbox


def test_of_an_attempt_that_died_no_word_is_awaited_but_its_folder_stands() -> None:
    mailbox = Mailbox()
    mailbox.begun(1, "first")
    mailbox.begun(1, "second")
    assert mailbox.busy()
    mailbox.left(1, "second")
    assert not mailbox.busy()
    assert mailbox.standing() == ["first"]


def test_who_left_late_leaves_the_attempt_after_it_alone() -> None:
    mailbox = Mailbox()
    mailbox.begun(1, "first")
    mailbox.begun(1, "second")
    mailbox.left(1, "first")
    assert mailbox.busy()
    assert mailbox.standing() == ["second"]
