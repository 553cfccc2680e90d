/* libfuzzer: the names libFuzzer asks for; takes the place of driver.c. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes)
{
	fuzz_one(bytes, n_bytes);
	return 0;
}
