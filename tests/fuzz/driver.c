/*
 * driver: run a fuzz function over its corpus, and over mutations that are the same in every run.
 *
 * Usage: fuzz_<parser> [--mutations N] FOLDER|FILE…    N mutations of each seed (default 400)
 *        fuzz_<parser> --write-seeds FOLDER            write the seeds that fuzz_seed() makes
 *
 * A run that takes longer than its alarm is a bug of the parser: a hostile target must not delay
 * us.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz_mutate.h"

enum { INPUT_BYTES = 4 << 20, SECONDS_EACH = 20 };

static struct fuzz_random chance = { 0x9e3779b97f4a7c15ull };
static unsigned long n_runs, n_seeds;

static void run(const uint8_t *bytes, size_t n)
{
	/* A copy of exactly this size, so that AddressSanitizer sees a read beyond its end. */
	uint8_t *copy = malloc(n ? n : 1);
	if (!copy)
		abort();
	memcpy(copy, bytes, n);
	alarm(SECONDS_EACH);
	fuzz_one(copy, n);
	alarm(0);
	free(copy);
	n_runs++;
}

static void run_seed(const uint8_t *seed, size_t n, unsigned long mutations)
{
	static uint8_t changed[INPUT_BYTES];
	n_seeds++;
	run(seed, n);
	for (unsigned long i = 0; i < mutations; i++) {
		memcpy(changed, seed, n);
		size_t now = n;
		for (size_t k = 1 + fuzz_random_below(&chance, 6); k > 0; k--)
			now = fuzz_mutate(&chance, changed, now, sizeof changed);
		run(changed, now);
	}
}

static void run_file(const char *path, unsigned long mutations)
{
	static uint8_t seed[INPUT_BYTES];
	FILE *f = fopen(path, "rb");
	if (!f) {
		perror(path);
		exit(1);
	}
	size_t n = fread(seed, 1, sizeof seed, f);
	fclose(f);
	run_seed(seed, n, mutations);
}

static void run_path(const char *path, unsigned long mutations)
{
	struct stat st;
	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
		run_file(path, mutations);
		return;
	}
	struct dirent **entries;
	int n = scandir(path, &entries, NULL, alphasort);
	if (n < 0) {
		perror(path);
		exit(1);
	}
	for (int i = 0; i < n; i++) {
		if (entries[i]->d_name[0] != '.') {
			char file[4096];
			snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
			run_file(file, mutations);
		}
		free(entries[i]);
	}
	free(entries);
}

/* Write the seeds that are made by code as files for libFuzzer. */
static int write_seeds(const char *folder)
{
	static uint8_t seed[INPUT_BYTES];
	size_t n;
	for (unsigned number = 0; (n = fuzz_seed(number, seed, sizeof seed)) > 0; number++) {
		char path[4096];
		snprintf(path, sizeof path, "%s/seed-%u", folder, number);
		FILE *f = fopen(path, "wb");
		if (!f || fwrite(seed, 1, n, f) != n || fclose(f) != 0) {
			perror(path);
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	static uint8_t seed[INPUT_BYTES];
	unsigned long mutations = 400;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--write-seeds") == 0 && i + 1 < argc)
			return write_seeds(argv[i + 1]);
		if (strcmp(argv[i], "--mutations") == 0 && i + 1 < argc)
			mutations = strtoul(argv[++i], NULL, 10);
		else
			run_path(argv[i], mutations);
	}
	size_t n;
	for (unsigned number = 0; (n = fuzz_seed(number, seed, sizeof seed)) > 0; number++)
		run_seed(seed, n, mutations);
	printf("%lu inputs from %lu seeds\n", n_runs, n_seeds);
	return n_seeds > 0 ? 0 : 1;
}
