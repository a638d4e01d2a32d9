"""Ctrl-C as a flag that is raised at safe points, and deadlines."""

import os
import signal
import threading

import pytest

from cvxnn import interrupts


def press_ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


def test_interrupt_waits_for_the_next_check():
    passed = []
    with pytest.raises(KeyboardInterrupt), interrupts.deferred_interrupts():
        press_ctrl_c()
        passed.append("still running")
        interrupts.check_interrupt()
        passed.append("not reached")
    assert passed == ["still running"]


def test_second_interrupt_is_raised_at_once():
    with pytest.raises(KeyboardInterrupt), interrupts.deferred_interrupts():
        press_ctrl_c()
        press_ctrl_c()
        # The signal is handled at the next bytecode, before this line.
        pytest.fail("the second interrupt was lost")


def test_interrupt_without_a_check_is_raised_at_the_end():
    with pytest.raises(KeyboardInterrupt), interrupts.deferred_interrupts():
        press_ctrl_c()


def test_forgotten_interrupt_is_gone():
    with interrupts.deferred_interrupts():
        press_ctrl_c()
        interrupts.forget_interrupt()
        interrupts.check_interrupt()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_failing_block_takes_its_interrupt_with_it():
    with pytest.raises(ValueError, match="failed"), interrupts.deferred_interrupts():
        press_ctrl_c()
        assert interrupts.interrupt_pending()
        raise ValueError("failed")
    assert not interrupts.interrupt_pending()
    interrupts.check_interrupt()


def test_an_ignored_ctrl_c_stays_ignored_and_other_signals_are_deferred():
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts.deferred_interrupts():
            press_ctrl_c()
            interrupts.check_interrupt()
            interrupts.interrupt(signal.SIGTERM, None)
            with pytest.raises(KeyboardInterrupt):
                interrupts.check_interrupt()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, usual)
    with pytest.raises(KeyboardInterrupt):
        interrupts.interrupt(signal.SIGTERM, None)


def test_nesting_leaves_the_handler_to_the_outer_block():
    with interrupts.deferred_interrupts():
        handler = signal.getsignal(signal.SIGINT)
        with interrupts.deferred_interrupts():
            assert signal.getsignal(signal.SIGINT) is handler
        assert signal.getsignal(signal.SIGINT) is handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_are_left_alone():
    seen = []

    def work():
        with interrupts.deferred_interrupts():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


def test_deadline():
    assert not interrupts.Deadline().passed and not interrupts.Deadline(1e6).passed
    assert interrupts.Deadline(0.0).passed and interrupts.Deadline(1e6).limited
    assert not interrupts.Deadline().limited and not interrupts.Deadline().share(0.5).limited
