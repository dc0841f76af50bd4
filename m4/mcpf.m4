dnl Checks of our own: flags that are tried one by one, and libraries whose absence is
dnl reported all at once, each with the package that brings it.

dnl MCPF_ADD_CFLAGS(FLAGS): add those that the compiler takes.
AC_DEFUN([MCPF_ADD_CFLAGS], [
	AC_SUBST([MCPF_CFLAGS])
	for flag in m4_normalize([$1]); do
		mcpf_save=$CFLAGS
		CFLAGS="$CFLAGS -Werror $flag"
		AC_MSG_CHECKING([whether $CC takes $flag])
		AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
			[AC_MSG_RESULT([yes]); MCPF_CFLAGS="$MCPF_CFLAGS $flag"],
			[AC_MSG_RESULT([no])])
		CFLAGS=$mcpf_save
	done
])

dnl MCPF_ADD_LDFLAGS(FLAGS): the same for the linker.
AC_DEFUN([MCPF_ADD_LDFLAGS], [
	AC_SUBST([MCPF_LDFLAGS])
	for flag in m4_normalize([$1]); do
		mcpf_save=$LDFLAGS
		mcpf_save_c=$CFLAGS
		CFLAGS="$CFLAGS -fPIE"
		LDFLAGS="$LDFLAGS $flag"
		AC_MSG_CHECKING([whether the linker takes $flag])
		AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
			[AC_MSG_RESULT([yes]); MCPF_LDFLAGS="$MCPF_LDFLAGS $flag"],
			[AC_MSG_RESULT([no])])
		LDFLAGS=$mcpf_save
		CFLAGS=$mcpf_save_c
	done
])

dnl MCPF_FORTIFY: the highest _FORTIFY_SOURCE that is known; none beside sanitizers.
AC_DEFUN([MCPF_FORTIFY], [
	AC_SUBST([MCPF_CPPFLAGS])
	AS_IF([test "x$enable_sanitizers" != xyes], [
		for level in 3 2; do
			mcpf_save=$CFLAGS
			CFLAGS="$CFLAGS -O2 -Werror -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$level"
			AC_MSG_CHECKING([for _FORTIFY_SOURCE=$level])
			AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[@%:@include <string.h>]], [])],
				[mcpf_ok=yes], [mcpf_ok=no])
			AC_MSG_RESULT([$mcpf_ok])
			CFLAGS=$mcpf_save
			AS_IF([test $mcpf_ok = yes], [
				MCPF_CPPFLAGS="-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$level"
				break
			])
		done
	])
])

dnl MCPF_SANITIZE(WHICH): compile and link with these sanitizers; no recovery.
AC_DEFUN([MCPF_SANITIZE], [
	MCPF_CFLAGS="$MCPF_CFLAGS -fsanitize=$1 -fno-sanitize-recover=all -fno-omit-frame-pointer"
	MCPF_LDFLAGS="$MCPF_LDFLAGS -fsanitize=$1"
])

dnl MCPF_FUZZING: compile all with libFuzzer's coverage; FUZZ_MAIN links its main().
AC_DEFUN([MCPF_FUZZING], [
	AC_SUBST([FUZZ_MAIN], [-fsanitize=fuzzer])
	MCPF_SANITIZE([fuzzer-no-link])
	mcpf_save=$CFLAGS
	CFLAGS="$CFLAGS -fsanitize=fuzzer,address,undefined"
	AC_MSG_CHECKING([whether $CC has libFuzzer])
	AC_LINK_IFELSE([AC_LANG_SOURCE([
#include <stddef.h>
#include <stdint.h>
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return 0; }
])],
		[AC_MSG_RESULT([yes])],
		[AC_MSG_RESULT([no])
		AC_MSG_ERROR([--enable-fuzzing needs CC=clang and its libFuzzer: Debian: apt-get install clang libclang-rt-14-dev; Fedora: dnf install clang compiler-rt])])
	CFLAGS=$mcpf_save
])

AC_DEFUN([MCPF_MISSING], [
	mcpf_missing="$mcpf_missing
  $1: Debian: apt-get install $2; Fedora: dnf install $3"
])

dnl MCPF_LIB(VAR, MODULES, DEBIAN, FEDORA)
AC_DEFUN([MCPF_LIB], [
	PKG_CHECK_MODULES([$1], [$2], [], [MCPF_MISSING([$2], [$3], [$4])])
])

dnl MCPF_OPTIONAL_LIB(VAR, MODULES, DEBIAN, FEDORA): sets have_VAR.
AC_DEFUN([MCPF_OPTIONAL_LIB], [
	PKG_CHECK_MODULES([$1], [$2], [have_$1=yes], [
		have_$1=no
		AC_MSG_NOTICE([$2 is missing, going on without (Debian: apt-get install $3; Fedora: dnf install $4)])
	])
])

dnl MCPF_HEADER_LIB(VAR, LIB, HEADER, FUNCTION, DEBIAN, FEDORA): a library without a .pc file.
AC_DEFUN([MCPF_HEADER_LIB], [
	AC_SUBST([$1_LIBS])
	mcpf_found=no
	AC_CHECK_HEADER([$3], [AC_CHECK_LIB([$2], [$4], [mcpf_found=yes])])
	AS_IF([test $mcpf_found = yes], [$1_LIBS=-l$2], [MCPF_MISSING([$2], [$5], [$6])])
])

AC_DEFUN([MCPF_REPORT_MISSING], [
	AS_IF([test -n "$mcpf_missing"],
		[AC_MSG_ERROR([missing libraries:$mcpf_missing])])
])
