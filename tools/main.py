# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs in the build root: one command of tools/run-in-root."""

import signal
import sys

from steps import Failed


def main(argv):
    if argv[0] == "demo":
        import demo
        demo.run()
    elif argv[0] == "deb":
        import deb
        deb.run()
    elif argv[0] == "site":
        import docs
        docs.run()
    elif argv[0] == "check":
        import check
        return check.run(argv[1:])
    elif argv[0] == "coverage":
        import coverage
        return coverage.run(argv[1:])
    elif argv[0] == "bench":
        import bench
        return bench.run(argv[1:])
    else:
        print("unknown command '%s', not demo, check, coverage, bench, deb or site" % argv[0], file=sys.stderr)
        return 2
    return 0


def on_terminate(*_):
    raise KeyboardInterrupt


if __name__ == "__main__":
    # This is the first process of its namespace, which the kernel keeps from signals that it does not handle.
    signal.signal(signal.SIGTERM, on_terminate)
    try:
        sys.exit(main(sys.argv[1:]))
    except Failed:
        sys.exit(1)
    except KeyboardInterrupt:
        print("\ninterrupted")
        sys.exit(130)
