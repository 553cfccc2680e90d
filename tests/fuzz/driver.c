/*
 * driver: run a fuzz function over its corpus, and over mutations that are the same in every run.
 *
 * Usage: fuzz_<parser> [--mutations N] FOLDER|FILE…    N mutations of each seed (default 400)
 * A run that takes longer than its alarm is a bug of the parser: a hostile target must not hold us up.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INPUT_BYTES = 4 << 20, SECONDS_EACH = 20 };

static uint64_t random_state = 0x9e3779b97f4a7c15ull;
static unsigned long n_runs, n_seeds;

static uint64_t random_u64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static size_t random_below(size_t n)
{
	return n ? (size_t)(random_u64() % n) : 0;
}

static void run(const uint8_t *bytes, size_t n)
{
	/* A copy of exactly this size, so that AddressSanitizer sees a read behind its end. */
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

/* One change of the kinds that break parsers: bits, boundary numbers, pieces gone, doubled or moved. */
static size_t mutate(uint8_t *bytes, size_t n, size_t cap)
{
	static const uint64_t edges[] = { 0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff8,
					  0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0xfffffffffffffff8 };
	if (n == 0)
		return 0;
	size_t at = random_below(n), m = 1 + random_below(n - at < 64 ? n - at : 64);
	switch (random_below(7)) {
	case 0:
		bytes[at] ^= (uint8_t)(1u << random_below(8));
		return n;
	case 1:
		bytes[at] = (uint8_t)random_u64();
		return n;
	case 2: {
		uint64_t edge = edges[random_below(sizeof edges / sizeof edges[0])];
		size_t width = (size_t)1 << random_below(4);
		if (width > n - at)
			width = n - at;
		memcpy(bytes + at, &edge, width);
		return n;
	}
	case 3: /* cut */
		return at;
	case 4: /* take a piece out */
		memmove(bytes + at, bytes + at + m, n - at - m);
		return n - m;
	case 5: /* say a piece twice */
		if (n + m > cap)
			return n;
		memmove(bytes + at + m, bytes + at, n - at);
		return n + m;
	default: { /* one piece over another */
		size_t to = random_below(n - m + 1);
		memmove(bytes + to, bytes + at, m);
		return n;
	}
	}
}

static void run_seed(const uint8_t *seed, size_t n, unsigned long mutations)
{
	static uint8_t changed[INPUT_BYTES];
	n_seeds++;
	run(seed, n);
	for (unsigned long i = 0; i < mutations; i++) {
		memcpy(changed, seed, n);
		size_t now = n;
		for (size_t k = 1 + random_below(6); k > 0; k--)
			now = mutate(changed, now, sizeof changed);
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

int main(int argc, char **argv)
{
	static uint8_t seed[INPUT_BYTES];
	unsigned long mutations = 400;
	for (int i = 1; i < argc; i++) {
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
