# SPDX-License-Identifier: GPL-2.0-or-later
"""Test output in the Test Anything Protocol, for scripts that check many things of one machine or session (tests/vm, tests/package,
tests/screencast). Not pycotap, which reports one result for each unittest method: these would have to boot anew for each check.
"""


class Tap:
    """tap = Tap(); tap.check(a == b, "a is b"); sys.exit(tap.end())"""

    def __init__(self):
        self.number = self.failed = 0

    def check(self, good, what, why=""):
        """One test; @why is shown when it failed. Returns @good."""
        self.number += 1
        if not good:
            self.failed += 1
            if why:
                print("# %s" % str(why).replace("\n", "\n# "))
        print("%s %d - %s" % ("ok" if good else "not ok", self.number, what), flush=True)
        return good

    def skip(self, what, why):
        self.number += 1
        print("ok %d - %s # SKIP %s" % (self.number, what, why), flush=True)

    def end(self):
        """The plan; returns the exit status."""
        print("1..%d" % self.number, flush=True)
        return 1 if self.failed else 0
