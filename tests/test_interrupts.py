"""Ctrl-C as a flag that is raised at safe points, and deadlines."""

import os
import signal
import threading

import pytest

from cvxnn.interrupts import (
    Deadline,
    check_interrupt,
    deferred_interrupts,
    forget_interrupt,
    interrupt,
    interrupt_pending,
)


def press_ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


def test_interrupt_waits_for_the_next_check():
    passed = []
    with pytest.raises(KeyboardInterrupt), deferred_interrupts():
        press_ctrl_c()
        passed.append("still running")
        check_interrupt()
        passed.append("not reached")
    assert passed == ["still running"]


def test_second_interrupt_is_raised_at_once():
    with pytest.raises(KeyboardInterrupt), deferred_interrupts():
        press_ctrl_c()
        press_ctrl_c()
        # The signal is handled at the next bytecode, before this line.
        pytest.fail("the second interrupt was lost")


def test_interrupt_without_a_check_is_raised_at_the_end():
    with pytest.raises(KeyboardInterrupt), deferred_interrupts():
        press_ctrl_c()


def test_forgotten_interrupt_is_gone():
    with deferred_interrupts():
        press_ctrl_c()
        forget_interrupt()
        check_interrupt()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_failing_block_takes_its_interrupt_with_it():
    with pytest.raises(ValueError, match="failed"), deferred_interrupts():
        press_ctrl_c()
        assert interrupt_pending()
        raise ValueError("failed")
    assert not interrupt_pending()
    check_interrupt()


def test_an_ignored_ctrl_c_stays_ignored_and_other_signals_are_deferred():
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with deferred_interrupts():
            press_ctrl_c()
            check_interrupt()
            interrupt(signal.SIGTERM, None)
            with pytest.raises(KeyboardInterrupt):
                check_interrupt()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, usual)
    with pytest.raises(KeyboardInterrupt):
        interrupt(signal.SIGTERM, None)


def test_nesting_leaves_the_handler_to_the_outer_block():
    with deferred_interrupts():
        handler = signal.getsignal(signal.SIGINT)
        with deferred_interrupts():
            assert signal.getsignal(signal.SIGINT) is handler
        assert signal.getsignal(signal.SIGINT) is handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_are_left_alone():
    seen = []

    def work():
        with deferred_interrupts():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


def test_deadline():
    assert not Deadline().passed
    assert not Deadline(1e6).passed
    assert Deadline(0.0).passed
    assert Deadline(1e6).limited
    assert not Deadline().limited
    assert not Deadline().share(0.5).limited
