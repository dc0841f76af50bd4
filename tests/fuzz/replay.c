/* Runs a fuzz target over files, where libFuzzer is not linked: each file of the folders given as
 * arguments, or of $FUZZ_CORPUS/<thing> for a program called fuzz_<thing>. Prints TAP, one test a
 * file; the name is printed before the run too, since a failure is an abort. */
#include <dirent.h>
#include <stdio.h>

#include "shared/fd.h"
#include "tests/fuzz/fuzz.h"

enum { MAX_FILE_BYTES = 16 * 1024 * 1024 };

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int bail_out(const char *what, const char *why)
{
	printf("Bail out! %s: %s\n", what, why);
	return -1;
}

static int replay_file(const char *path, const char *name, unsigned number)
{
	auto_strbuf text = { 0 };
	auto_free char *copy = NULL;
	int r = fd_read_file(path, MAX_FILE_BYTES, &text);

	if (r < 0)
		return bail_out(path, strerror(-r));
	printf("# %s\n", path);
	(void)fflush(stdout);
	copy = fuzz_copy(text.data, text.len);
	(void)LLVMFuzzerTestOneInput((const uint8_t *)copy, text.len);
	printf("ok %u - %s\n", number, name);
	return 0;
}

/* The number of files, or -1. */
static int replay_folder(const char *folder, unsigned n_before)
{
	struct dirent **entries = NULL;
	int n = scandir(folder, &entries, is_visible, alphasort);
	int r = 0;

	for (int i = 0; i < n; i++) {
		auto_free char *path = alloc_printf("%s/%s", folder, entries[i]->d_name);

		if (r == 0)
			r = replay_file(path, entries[i]->d_name, n_before + (unsigned)i + 1);
		free(entries[i]);
	}
	free(entries);
	if (n <= 0)
		return bail_out(folder, "no inputs");
	return r < 0 ? r : n;
}

/* $FUZZ_CORPUS/<thing>; NULL when that cannot be told. */
static char *default_folder(const char *program)
{
	const char *corpus = getenv("FUZZ_CORPUS");
	const char *thing = strstr(basename(program), "fuzz_");

	return corpus && thing ? alloc_printf("%s/%s", corpus, thing + strlen("fuzz_")) : NULL;
}

int main(int argc, char **argv)
{
	auto_free char *folder = default_folder(argv[0]);
	unsigned n_files = 0;
	int n;

	if (argc == 1 && !folder) {
		(void)fprintf(stderr, "usage: %s FOLDER...  (or set FUZZ_CORPUS)\n", argv[0]);
		return 2;
	}
	for (int i = argc == 1 ? 0 : 1; i < argc; i++) {
		n = replay_folder(argc == 1 ? folder : argv[i], n_files);
		if (n < 0)
			return 1;
		n_files += (unsigned)n;
	}
	printf("1..%u\n", n_files);
	return 0;
}
