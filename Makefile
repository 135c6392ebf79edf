# SPDX-License-Identifier: GPL-2.0-or-later
#
# Nothing needs to be installed first but git, make and a package manager: tools/run-in-root makes a Debian 13 root file system
# in a cache folder and runs everything else in it. `make help` prints each target with the text behind its "##".

.PHONY: help demo check coverage bench deb site mac-report clean

help: ## print this list
	@sed -n 's/^\([a-z][a-z-]*\):[^#]*## \(.*\)/make \1|\2/p' Makefile | awk -F'|' '{ printf "%-15s %s\n", $$1, $$2 }'
	@echo
	@echo 'make check SUITE=NAME             one suite; SUITE=list names them; SUITE=all runs the long ones too'
	@echo 'make check SUITE=NAME TEST=NAME   one test program of a suite without a VM'
	@echo 'make coverage BASE=FILE           also branches that FILE, an earlier out/coverage.json, had and this has not'
	@echo 'make bench ROW=NAME               one row of the table, or several: ROW=overhead,convert'
	@echo 'make mac-report GUEST=FILE GL=taps YES=1   the guest to start; third-party GL libraries; no questions'

demo: ## build everything, stream a desktop of a VM; leaves out/demo.mp4, .png and .json
	@tools/run-in-root demo

check: ## run the tests that CI runs
	@tools/run-in-root check $(SUITE) $(TEST)

coverage: ## count lines and branches that suites without a VM run, per folder; leaves out/coverage.json
	@tools/run-in-root coverage $(BASE)

bench: ## measure the performance table (docs/performance.md); leaves out/bench.json and .md
	@tools/run-in-root bench $(ROW)

deb: ## build the guest's Debian packages for amd64 and arm64 in out/
	@tools/run-in-root deb

site: ## build the documents as a static site in out/site, and docs/rooms.svg
	@tools/run-in-root site

mac-report: ## on a Mac: build, test and measure the module there; leaves mac-report-MODEL-MACOS.txt (docs/macos.md)
	@tools/mac-report $(if $(GUEST),--guest "$(GUEST)") $(if $(GL),--gl "$(GL)") $(if $(YES),--yes)

clean: ## remove out/; the cache folder stays
	rm -rf out
