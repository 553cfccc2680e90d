/* leaks: a program that a leak sanitizer looks at when it ends: that fails if somebody else traces
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
