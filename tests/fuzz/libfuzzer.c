/* libfuzzer: the functions that libFuzzer calls; replaces driver.c. */
#include "fuzz.h"
#include "fuzz_mutate.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t n, size_t cap); /* libFuzzer's own */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n, size_t cap, unsigned seed);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	fuzz_one(bytes, n_bytes);
	return 0;
}

/* Half of the changes are libFuzzer's, which knows what the code compares with; half are the
 * harness's, which knows the format. */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n, size_t cap, unsigned seed)
{
	struct fuzz_random r = { (uint64_t)seed * 0x9e3779b97f4a7c15ull | 1 };
	if (fuzz_random_below(&r, 2))
		return LLVMFuzzerMutate(bytes, n, cap);
	return fuzz_mutate(&r, bytes, n, cap);
}
