/* make_capture PATH N_EVENTS FLUSH_EVERY: a capture for tests in other languages. */
#include "capture_util.h"

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	struct writer *w = test_writer(argv[1]);
	write_random(w, strtoull(argv[2], NULL, 10), 1, (uint32_t)strtoul(argv[3], NULL, 10));
	must(writer_close(w));
	return 0;
}
