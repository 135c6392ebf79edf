# SPDX-License-Identifier: GPL-2.0-or-later
#
# make demo               build everything, stream a VM's desktop, leave out/demo.mp4, out/demo.png and out/demo.json
# make check              the tests that CI runs
# make check SUITE=NAME   one suite (make check SUITE=list names them); SUITE=all: the long ones too
# make coverage           lines and branches of the product that the suites without a VM run; leaves out/coverage.json
# make coverage BASE=FILE the same, and what fewer ran than in FILE, an earlier run's out/coverage.json
# make bench              the performance table (docs/performance.md); leaves out/bench.json and out/bench.md
# make bench ROW=NAME     one row
# make deb                the guest's element and helix-screencast as Debian packages for amd64 and arm64, in out/
# make clean              removes out/; the cache folder (see tools/run-in-root) stays
#
# Nothing needs to be installed first but git, make and a package manager: see tools/run-in-root.

.PHONY: help demo check coverage bench deb clean

help:
	@sed -n 's/^# \{0,1\}//p' Makefile | sed 1d

demo:
	@tools/run-in-root demo

check:
	@tools/run-in-root check $(SUITE)

coverage:
	@tools/run-in-root coverage $(BASE)

bench:
	@tools/run-in-root bench $(ROW)

deb:
	@tools/run-in-root deb

clean:
	rm -rf out
