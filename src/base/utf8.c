/*
 * utf8: see utf8.h.
 */
#include "base/utf8.h"

#include <string.h>
#include <wchar.h>

#include "base/attr.h"
#include "base/strbuf.h"

uint32_t utf8_decode(const char *str, size_t n, size_t *ret_bytes)
{
	const unsigned char *s = (const unsigned char *)str;
	*ret_bytes = 1;
	if (s[0] < 0x80)
		return s[0];
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return UTF8_BAD;
	size_t len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (n < len)
		return UTF8_BAD;
	uint32_t c = s[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return UTF8_BAD;
		c = c << 6 | (s[i] & 0x3fu);
	}
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	if (c < least[len] || c > 0x10ffff)
		return UTF8_BAD;
	*ret_bytes = len;
	return c;
}

int utf8_hex_digit(char c)
{
	return c >= '0' && c <= '9'                 ? c - '0'
	       : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
						    : -1;
}

bool utf8_is_valid(const char *s, size_t n)
{
	for (size_t i = 0, len; i < n; i += len) {
		uint32_t c = utf8_decode(s + i, n - i, &len);
		if (c == UTF8_BAD || (c >= 0xd800 && c < 0xe000))
			return false;
	}
	return true;
}

struct range {
	uint32_t first, last;
};

/* Unicode 15.0 EastAsianWidth.txt, W and F, merged into blocks: precise enough for a terminal. */
static const struct range wide[] = {
	{ 0x1100, 0x115f },   { 0x231a, 0x231b },   { 0x2329, 0x232a },   { 0x23e9, 0x23ec },
	{ 0x23f0, 0x23f0 },   { 0x23f3, 0x23f3 },   { 0x25fd, 0x25fe },   { 0x2614, 0x2615 },
	{ 0x2648, 0x2653 },   { 0x267f, 0x267f },   { 0x2693, 0x2693 },   { 0x26a1, 0x26a1 },
	{ 0x26aa, 0x26ab },   { 0x26bd, 0x26be },   { 0x26c4, 0x26c5 },   { 0x26ce, 0x26ce },
	{ 0x26d4, 0x26d4 },   { 0x26ea, 0x26ea },   { 0x26f2, 0x26f3 },   { 0x26f5, 0x26f5 },
	{ 0x26fa, 0x26fa },   { 0x26fd, 0x26fd },   { 0x2705, 0x2705 },   { 0x270a, 0x270b },
	{ 0x2728, 0x2728 },   { 0x274c, 0x274c },   { 0x274e, 0x274e },   { 0x2753, 0x2755 },
	{ 0x2757, 0x2757 },   { 0x2795, 0x2797 },   { 0x27b0, 0x27b0 },   { 0x27bf, 0x27bf },
	{ 0x2b1b, 0x2b1c },   { 0x2b50, 0x2b50 },   { 0x2b55, 0x2b55 },   { 0x2e80, 0x303e },
	{ 0x3041, 0x33ff },   { 0x3400, 0x4dbf },   { 0x4e00, 0x9fff },   { 0xa000, 0xa4cf },
	{ 0xa960, 0xa97c },   { 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },   { 0xfe10, 0xfe19 },
	{ 0xfe30, 0xfe6f },   { 0xff01, 0xff60 },   { 0xffe0, 0xffe6 },   { 0x16fe0, 0x18d08 },
	{ 0x1aff0, 0x1b2ff }, { 0x1f004, 0x1f004 }, { 0x1f0cf, 0x1f0cf }, { 0x1f18e, 0x1f18e },
	{ 0x1f191, 0x1f19a }, { 0x1f200, 0x1f320 }, { 0x1f32d, 0x1f335 }, { 0x1f337, 0x1f37c },
	{ 0x1f37e, 0x1f393 }, { 0x1f3a0, 0x1f3ca }, { 0x1f3cf, 0x1f3d3 }, { 0x1f3e0, 0x1f3f0 },
	{ 0x1f3f4, 0x1f3f4 }, { 0x1f3f8, 0x1f43e }, { 0x1f440, 0x1f440 }, { 0x1f442, 0x1f4fc },
	{ 0x1f4ff, 0x1f53d }, { 0x1f54b, 0x1f54e }, { 0x1f550, 0x1f567 }, { 0x1f57a, 0x1f57a },
	{ 0x1f595, 0x1f596 }, { 0x1f5a4, 0x1f5a4 }, { 0x1f5fb, 0x1f64f }, { 0x1f680, 0x1f6c5 },
	{ 0x1f6cc, 0x1f6cc }, { 0x1f6d0, 0x1f6d2 }, { 0x1f6d5, 0x1f6d7 }, { 0x1f6dc, 0x1f6df },
	{ 0x1f6eb, 0x1f6ec }, { 0x1f6f4, 0x1f6fc }, { 0x1f7e0, 0x1f7eb }, { 0x1f7f0, 0x1f7f0 },
	{ 0x1f90c, 0x1f93a }, { 0x1f93c, 0x1f945 }, { 0x1f947, 0x1f9ff }, { 0x1fa70, 0x1faff },
	{ 0x20000, 0x3fffd },
};

static bool in_ranges(uint32_t c, const struct range *r, size_t n)
{
	size_t lo = 0, hi = n;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (c > r[mid].last)
			lo = mid + 1;
		else if (c < r[mid].first)
			hi = mid;
		else
			return true;
	}
	return false;
}

/* Code points that join others into one character. Terminals disagree on the width of the result,
 * which would misplace the rest of the line. They are shown as escapes, so that each code point has
 * a known width: the zero width joiner, variation selectors, skin tones, regional indicators
 * (flags), enclosing marks (keycaps), tags, and the Hangul vowels and finals beyond the first
 * block. */
static bool joins_others(uint32_t c)
{
	return c == 0x200c || c == 0x200d || (c >= 0xfe00 && c <= 0xfe0f) ||
	       (c >= 0x1f3fb && c <= 0x1f3ff) || (c >= 0x1f1e6 && c <= 0x1f1ff) ||
	       (c >= 0x20dd && c <= 0x20e0) || (c >= 0x20e2 && c <= 0x20e4) ||
	       (c >= 0xd7b0 && c <= 0xd7ff);
}

int utf8_width(uint32_t c)
{
	if (c < 0x20 || c == 0x7f)
		return -1;
	if (c < 0x7f)
		return 1;
	if (c < 0xa0 || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
		return -1;
	/* Bidi controls and line separators change how other cells are shown; unassigned tags and
	 * specials hide text. */
	if (c == 0x61c || (c >= 0x200b && c <= 0x200f) || joins_others(c) ||
	    (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
	    (c >= 0xfff0 && c <= 0xfffb) || (c & 0xfffe) == 0xfffe ||
	    (c >= 0xe0000 && c <= 0xe0fff))
		return -1;
	if (in_ranges(c, wide, ARRAY_LEN(wide)))
		return 2;
	int w = wcwidth((wchar_t)c);
	if (w >= 0)
		/* ambiguous width counts as one cell; the table above has the wide ones */
		return w > 1 ? 1 : w;
	return c >= 0x300 && c <= 0x36f ? 0 : 1;
}

/* Length of a sequence at s that switches bold on or off, as our own headings do; 0: none. */
static size_t bold_bytes(const char *s, size_t n)
{
	return n >= 4 && s[0] == 0x1b && s[1] == '[' && (s[2] == '0' || s[2] == '1') && s[3] == 'm'
		   ? 4
		   : 0;
}

bool utf8_is_safe(const char *s, size_t n)
{
	for (size_t i = 0, len; i < n; i += len) {
		unsigned char c = (unsigned char)s[i];
		len = 1;
		if ((c >= 0x20 && c < 0x7f) || c == '\n' || c == '\t')
			continue;
		uint32_t u = utf8_decode(s + i, n - i, &len);
		if (c == 0x1b && (len = bold_bytes(s + i, n - i)))
			continue;
		if (u == UTF8_BAD || utf8_width(u) < 0)
			return false;
	}
	return true;
}

static void add_escape(struct strbuf *b, uint32_t c, unsigned char byte)
{
	if (c == UTF8_BAD)
		strbuf_addf(b, "\\x%02x", byte);
	else if (c == '\n' || c == '\r' || c == '\t')
		strbuf_adds(b, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
	else if (c < 0x100)
		strbuf_addf(b, "\\x%02x", c);
	else if (c < 0x10000)
		strbuf_addf(b, "\\u%04x", c);
	else
		strbuf_addf(b, "\\U%08x", c);
}

static void add_safe(struct strbuf *b, const char *s, size_t n, const char *keep, bool keep_bold)
{
	for (size_t i = 0, len; i < n; i += len) {
		uint32_t c = utf8_decode(s + i, n - i, &len);
		size_t bold = keep_bold && c == 0x1b ? bold_bytes(s + i, n - i) : 0;
		if (bold)
			strbuf_add(b, s + i, len = bold);
		else if ((c != UTF8_BAD && utf8_width(c) >= 0) ||
			 (c && c < 0x20 && strchr(keep, (char)c)))
			strbuf_add(b, s + i, len);
		else
			add_escape(b, c, (unsigned char)s[i]);
	}
}

void utf8_guard(struct strbuf *b, const char *s, size_t n)
{
	add_safe(b, s, n, "\n\t", true);
}

void utf8_add_plain(struct strbuf *b, const char *s, size_t n, const char *keep)
{
	add_safe(b, s, n, keep, false);
}

void utf8_escape(struct strbuf *b, const char *s, size_t n, char quote)
{
	for (size_t i = 0, len; i < n; i += len) {
		uint32_t c = utf8_decode(s + i, n - i, &len);
		if (c != UTF8_BAD && (c == '\\' || (quote && c == (unsigned char)quote)))
			strbuf_addc(b, '\\'), strbuf_addc(b, (char)c);
		else if (c != UTF8_BAD && utf8_width(c) >= 0)
			strbuf_add(b, s + i, len);
		else
			add_escape(b, c, (unsigned char)s[i]);
	}
}

size_t utf8_str_width(const char *s, size_t n)
{
	size_t cells = 0;
	for (size_t i = 0, len; i < n; i += len) {
		uint32_t c = utf8_decode(s + i, n - i, &len);
		int w = c == UTF8_BAD ? -1 : utf8_width(c);
		if (c == '\\')
			cells += 2;
		else if (w >= 0)
			cells += (size_t)w;
		else if (c == '\n' || c == '\r' || c == '\t')
			cells += 2;
		else
			cells += c < 0x100 || c == UTF8_BAD ? 4 : c < 0x10000 ? 6 : 10;
	}
	return cells;
}

int utf8_padding(const char *text, size_t cells)
{
	size_t width = utf8_str_width(text, strlen(text));
	return width < cells ? (int)(cells - width) : 0;
}
