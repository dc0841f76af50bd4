# What the sandbox must hold: run by the integration tests in the place of each worker.
check_PROGRAMS += tests/hostile/hostile
tests_hostile_hostile_SOURCES = tests/hostile/attempts.c tests/hostile/brood.c tests/hostile/hostile.c \
	tests/hostile/hostile.h tests/hostile/tricks.c
tests_hostile_hostile_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_hostile_hostile_LDADD = shared/libshared.a $(JANSSON_LIBS)
