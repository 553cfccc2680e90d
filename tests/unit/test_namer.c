/*
 * test_namer: answers of libdw and the demangler, and hostile input that must not harm us.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <dirent.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "stacks/namer.h"

/* Substitutions that double with each step: 265 bytes expand to gigabytes of text. */
static const char bomb[] =
    "_Z1f1AIiiES_IS0_S0_ES_IS1_S1_ES_IS2_S2_ES_IS3_S3_ES_IS4_S4_ES_IS5_S5_ES_IS6_S6_ES_IS7_S7_ES_"
    "IS8_S8_"
    "ES_IS9_S9_ES_ISA_SA_ES_ISB_SB_ES_ISC_SC_ES_ISD_SD_ES_ISE_SE_ES_ISF_SF_ES_ISG_SG_ES_ISH_SH_ES_"
    "ISI_SI_"
    "ES_ISJ_SJ_ES_ISK_SK_ES_ISL_SL_ES_ISM_SM_ES_ISN_SN_ES_ISO_SO_ES_ISP_SP_ES_ISQ_SQ_E";

static long max_rss_kb(void)
{
	struct rusage u;
	assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
	return u.ru_maxrss;
}

static bool has_demangler(void)
{
	return dlopen("libstdc++.so.6", RTLD_NOW) != NULL;
}

static void names_are_demangled(void **state)
{
	CLEANUP(namer) struct namer *n = namer_create();
	if (!has_demangler())
		skip();
	const char *text = namer_demangle(n, "_ZN5outer5innerEi");
	assert_non_null(text);
	assert_string_equal(text, "outer::inner(int)");
	assert_null(namer_demangle(n, "_ZZZ"));
	assert_null(namer_demangle(n, "PyObject_Call"));
}

static void bombs_have_no_answer(void **state)
{
	CLEANUP(namer) struct namer *n = namer_create();
	if (!has_demangler())
		skip();
	long before = max_rss_kb();
	assert_null(namer_demangle(n, bomb));
	assert_true(max_rss_kb() < before + (64 << 10));
	/* The next question is answered by a new process. */
	assert_string_equal(namer_demangle(n, "_ZN5outer5innerEi"), "outer::inner(int)");
}

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* However many there are, the owner waits for its credit only; and afterwards names are found
 * again. */
static void bombs_hold_nobody_for_long(void **state)
{
	CLEANUP(namer) struct namer *n = namer_create();
	if (!has_demangler())
		skip();
	double begin = now_s();
	for (unsigned i = 0; i < 1000; i++)
		assert_null(namer_demangle(n, bomb));
	double held = now_s() - begin;
	/* 5 s because others use the processor; without the credit it would be a minute at least */
	assert_true(held < (NAMER_BURST_MS / 1e3) * NAMER_SHARE / (NAMER_SHARE - 1) + 5);
	begin = now_s();
	const char *text = NULL;
	while (!text && now_s() - begin < 50) {
		usleep(100000);
		text = namer_demangle(n, "_ZN5outer5innerEi");
	}
	assert_string_equal(text ? text : "", "outer::inner(int)");
}

/* The load bias of this program. */
static uint64_t own_bias(void)
{
	extern const char __executable_start[];
	return (uint64_t)(uintptr_t)__executable_start;
}

static void lines_are_found(void **state)
{
	CLEANUP(namer) struct namer *n = namer_create();
	const char *file;
	uint32_t line;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	uint64_t at = (uint64_t)(uintptr_t)max_rss_kb - own_bias() + 4;
	if (!namer_line(n, 1, fd, at, &file, &line))
		skip(); /* built without debug information */
	assert_non_null(strstr(file, "test_namer.c"));
	assert_in_range(line, 25, 40);
	assert_false(namer_line(n, 1, fd, 1ull << 60, &file, &line));
	assert_false(namer_line(n, 2, fd, at + (1ull << 40), &file, &line));
	close(fd);
}

/* Make a 64-bit ELF file with one compressed .debug_line (and .debug_info) that claims `claimed`
 * bytes. */
static int compressed_file(uint64_t claimed)
{
	static const char names[] = "\0.debug_line\0.debug_info\0.debug_abbrev\0.shstrtab";
	enum { N = 5 };
	struct {
		Elf64_Ehdr e;
		Elf64_Shdr s[N];
		Elf64_Chdr c;
		uint8_t deflated[16];
		char names[sizeof(names)];
	} f = { .e = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				    EV_CURRENT },
		       .e_type = ET_DYN,
		       .e_machine = EM_X86_64,
		       .e_version = EV_CURRENT,
		       .e_ehsize = sizeof(Elf64_Ehdr),
		       .e_shentsize = sizeof(Elf64_Shdr),
		       .e_shnum = N,
		       .e_shstrndx = N - 1 },
		.c = { .ch_type = ELFCOMPRESS_ZLIB, .ch_size = claimed, .ch_addralign = 1 },
		.deflated = { 0x78, 0x9c, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01 } };
	memcpy(f.names, names, sizeof(names));
	f.e.e_shoff = offsetof(__typeof__(f), s);
	for (uint32_t i = 1; i < N - 1; i++)
		f.s[i] = (Elf64_Shdr){ .sh_name = i == 1   ? 1
						  : i == 2 ? 13
							   : 25,
				       .sh_type = SHT_PROGBITS,
				       .sh_flags = SHF_COMPRESSED,
				       .sh_offset = offsetof(__typeof__(f), c),
				       .sh_size = sizeof(f.c) + 8,
				       .sh_addralign = 8 };
	f.s[N - 1] = (Elf64_Shdr){ .sh_name = 39,
				   .sh_type = SHT_STRTAB,
				   .sh_offset = offsetof(__typeof__(f), names),
				   .sh_size = sizeof(names),
				   .sh_addralign = 1 };
	int fd = memfd_create("compressed", MFD_CLOEXEC);
	assert_int_equal(write(fd, &f, sizeof(f)), sizeof(f));
	return fd;
}

static void compressed_sections_have_no_answer(void **state)
{
	CLEANUP(namer) struct namer *n = namer_create();
	static const uint64_t claims[] = { 1ull << 31, 1ull << 33, 1ull << 40, UINT64_MAX };
	const char *file;
	uint32_t line;
	long before = max_rss_kb();
	for (uint64_t i = 0; i < ARRAY_LEN(claims); i++) {
		int fd = compressed_file(claims[i]);
		assert_false(namer_line(n, 1 + i, fd, 0x1000, &file, &line));
		close(fd);
	}
	assert_true(max_rss_kb() < before + (64 << 10));
}

static void status_value(const char *text, const char *key, char to[32])
{
	const char *at = strstr(text, key);
	assert_non_null(at);
	assert_int_equal(sscanf(at + strlen(key), "%31s", to), 1);
}

/* Every process of that name is checked: another test may have one of its own at this moment. */
static void it_has_no_rights(void **state)
{
	CLEANUP(namer) struct namer *n = namer_create();
	(void)namer_demangle(n, "_ZN5outer5innerEi");
	DIR *d = opendir("/proc");
	unsigned found = 0;
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		char path[300], text[4096] = "", value[32];
		snprintf(path, sizeof(path), "/proc/%s/status", e->d_name);
		FILE *f = e->d_name[0] >= '0' && e->d_name[0] <= '9' ? fopen(path, "re") : NULL;
		if (!f)
			continue;
		size_t got = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
		text[got] = 0;
		if (strncmp(text, "Name:\tauditview names\n", 22) != 0 ||
		    strstr(text, "\nState:\tZ"))
			continue;
		found++;
		status_value(text, "\nUid:", value);
		assert_string_not_equal(value, "0");
		status_value(text, "\nNoNewPrivs:", value);
		assert_string_equal(value, "1");
		status_value(text, "\nCapEff:", value);
		assert_string_equal(value, "0000000000000000");
	}
	closedir(d);
	assert_true(found > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_demangled),
		cmocka_unit_test(bombs_have_no_answer),
		cmocka_unit_test(bombs_hold_nobody_for_long),
		cmocka_unit_test(lines_are_found),
		cmocka_unit_test(compressed_sections_have_no_answer),
		cmocka_unit_test(it_has_no_rights),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
