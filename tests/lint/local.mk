# The lists of tools that clients see; a new worker needs only its program in pkglibexec_PROGRAMS.
TESTS += tests/lint/golden.sh
EXTRA_DIST += tests/lint/golden.sh tests/data/tools

golden: $(pkglibexec_PROGRAMS)
	$(AM_V_GEN)srcdir='$(srcdir)' GOLDEN_PROGRAMS='$(pkglibexec_PROGRAMS)' \
		$(SHELL) $(srcdir)/tests/lint/golden.sh --update
.PHONY: golden

# The direction of includes: the layers of ARCHITECTURE.md.
TESTS += tests/lint/includes.sh
EXTRA_DIST += tests/lint/includes.sh tests/lint/includes.awk tests/lint/run tests/lint/cppcheck.cfg

# The manual pages.
TESTS += tests/lint/manuals.sh
EXTRA_DIST += tests/lint/manuals.sh

# One version everywhere.
TESTS += tests/lint/versions.sh
EXTRA_DIST += tests/lint/versions.sh

# All checks of the sources; see the script for choosing some.
lint: export LINT_CPPFLAGS = $(AM_CPPFLAGS) -I$(abs_top_srcdir) -I$(abs_top_builddir) $(JANSSON_CFLAGS) \
	$(EVENT_CFLAGS) $(YAML_CFLAGS) $(CRYPTO_CFLAGS) $(GIT2_CFLAGS) $(PCRE2_CFLAGS) \
	$(CURL_CFLAGS) $(CARES_CFLAGS) $(IDN2_CFLAGS) $(XML2_CFLAGS) $(SSL_CFLAGS) \
	$(CMOCKA_CFLAGS) $(SYSTEMD_CFLAGS) $(CPPFLAGS) -DTOP_SRCDIR='"."'
lint: export CC := $(CC)
lint:
	$(AM_V_at)$(SHELL) $(srcdir)/tests/lint/run
.PHONY: lint
