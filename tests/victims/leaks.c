/* leaks: a program that a leak sanitizer checks at its end, which fails if another process traces
 * it. */
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
	void *p = malloc(10);
	printf("leaks %s\n", p ? "nothing" : "?");
	free(p);
	return 0;
}
