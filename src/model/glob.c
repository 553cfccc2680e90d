/*
 * glob: see glob.h. Only the last star is remembered: if the rest fails to match, the star takes
 * one byte more.
 */
#include "model/glob.h"

#include <string.h>

bool glob_is(const char *pattern, size_t n)
{
	return n && (memchr(pattern, '*', n) || memchr(pattern, '?', n));
}

bool glob_match(const char *pattern, size_t n_pattern, const char *s, size_t n)
{
	size_t p = 0, i = 0, star = (size_t)-1, star_i = 0;
	while (i < n) {
		if (p < n_pattern && pattern[p] == '*') {
			star = p++;
			star_i = i;
		} else if (p < n_pattern && pattern[p] == '?') {
			p++, i++;
			while (i < n && ((unsigned char)s[i] & 0xc0) == 0x80)
				i++;
		} else if (p < n_pattern && pattern[p] == s[i]) {
			p++, i++;
		} else if (star != (size_t)-1) {
			p = star + 1;
			i = ++star_i;
		} else {
			return false;
		}
	}
	while (p < n_pattern && pattern[p] == '*')
		p++;
	return p == n_pattern;
}
