# The lists of tools that clients see; a new worker needs only its program in pkglibexec_PROGRAMS.
TESTS += tests/lint/golden.sh
EXTRA_DIST += tests/lint/golden.sh tests/data/tools

golden: $(pkglibexec_PROGRAMS)
	$(AM_V_GEN)srcdir='$(srcdir)' GOLDEN_PROGRAMS='$(pkglibexec_PROGRAMS)' \
		$(SHELL) $(srcdir)/tests/lint/golden.sh --update
.PHONY: golden
