"""A play of steps: each prints one line, the first difference ends it."""

import sys
import time
import traceback


class Difference(Exception):
    """The gateway, or the SDK, did something else than it should."""


def expect(what, found, wanted):
    """Both must be equal."""
    if found != wanted:
        raise Difference(f"{what}: {wanted!r} was expected, {found!r} found")


def expect_refusal(what, act, *words):
    """The SDK must refuse, for a reason that has one of these words; returns the reason."""
    try:
        outcome = act()
    except Difference:
        raise
    except Exception as refusal:
        if not any(word in f"{type(refusal).__name__}: {refusal}" for word in words):
            raise Difference(f"{what}: refused for another reason, {refusal!r}") from refusal
        return refusal
    raise Difference(f"{what}: not refused, but {outcome!r}")


def until(what, ask, within_s=15):
    """Asks until there is an answer."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.05)
    raise Difference(f"{what}: not within {within_s} s")


def run(name, steps):
    """Plays the steps, functions whose documentation says what they show. Exits non-zero on any difference."""
    passed = 0
    for step in steps:
        text = " ".join(step.__doc__.split())
        try:
            step()
        except Exception as error:
            print(f"FAILED  {text}", flush=True)
            if not isinstance(error, Difference):
                traceback.print_exc(file=sys.stdout)
            print(f"        {error}")
            print(f"{name}: {passed} passed, 1 failed", flush=True)
            sys.exit(1)
        passed += 1
        print(f"ok      {text}", flush=True)
    print(f"{name}: {passed} passed, 0 failed", flush=True)
