/*
 * redact: see redact.h. To know one more secret: a rule in data/redaction.rec, with examples;
 * tests/unit/test_redact.c tries them.
 *
 * Hostile texts: the patterns are matched with a limit of steps and of memory, a text is never
 * matched by a pattern whose anchors it lacks, and each pattern continues behind what it found.
 * What exceeds a limit is hidden, so that a target can spoil what is shown of itself and nothing
 * else.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "recorder/redact.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/value.h"
#include "base/vec.h"
#include "recorder/redact_tables.h"

#define STEPS_MAX       200000u /* of one match */
#define HEAP_KIB_MAX    1024u
#define JIT_STACK_BYTES (256u << 10)
#define MATCHES_MAX     10000u /* of one pattern in one text */

struct compiled {
	pcre2_code *code;          /* NULL: not needed yet */
	int name, secret, secret2; /* group numbers, 0 none */
};

struct span {
	size_t from, to;
};

struct redactor {
	struct compiled *rules; /* [redact_n_rules] */
	pcre2_match_data *match;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
	VEC(struct span) spans; /* of the text at hand */
	bool all;               /* memory was short: all of it is hidden */
	struct strbuf joined;
	char event[64];       /* which was asked for last */
	uint32_t event_rules; /* bit i: rule i is for it */
};

struct err *redactor_create(struct redactor **ret)
{
	struct redactor *r = calloc(1, sizeof(*r));
	if (!r)
		return err_no_memory();
	r->rules = calloc(redact_n_rules, sizeof(*r->rules));
	r->match = pcre2_match_data_create(16, NULL);
	r->context = pcre2_match_context_create(NULL);
	if (!r->rules || !r->match || !r->context) {
		redactor_destroy(r);
		return err_no_memory();
	}
	pcre2_set_match_limit(r->context, STEPS_MAX);
	pcre2_set_heap_limit(r->context, HEAP_KIB_MAX);
	r->stack = pcre2_jit_stack_create(32u << 10, JIT_STACK_BYTES, NULL);
	if (r->stack)
		pcre2_jit_stack_assign(r->context, NULL, r->stack);
	*ret = r;
	return NULL;
}

void redactor_destroy(struct redactor *r)
{
	if (!r)
		return;
	for (unsigned i = 0; r->rules && i < redact_n_rules; i++)
		pcre2_code_free(r->rules[i].code);
	free(r->rules);
	pcre2_match_data_free(r->match);
	pcre2_match_context_free(r->context);
	pcre2_jit_stack_free(r->stack);
	vec_fini(&r->spans);
	strbuf_fini(&r->joined);
	free(r);
}

static int group_of(const pcre2_code *code, const char *name)
{
	int n = pcre2_substring_number_from_name(code, (PCRE2_SPTR)name);
	return n > 0 ? n : 0;
}

/* NULL: memory is short. The patterns themselves are right: a test compiles them all. */
static const struct compiled *rule_get(struct redactor *r, unsigned i)
{
	struct compiled *c = &r->rules[i];
	if (!c->code) {
		int error;
		PCRE2_SIZE at;
		c->code = pcre2_compile((PCRE2_SPTR)redact_rules[i].pattern, PCRE2_ZERO_TERMINATED,
					0, &error, &at, NULL);
		if (!c->code)
			return NULL;
		pcre2_jit_compile(c->code,
				  PCRE2_JIT_COMPLETE); /* without it matching is slower, no more */
		c->name = group_of(c->code, "name");
		c->secret = group_of(c->code, "secret");
		c->secret2 = group_of(c->code, "secret2");
	}
	return c;
}

/* ---- values ---- */

void redact_add_length(struct strbuf *to, uint64_t n_chars)
{
	static const char type[] = "redacted", attr[] = "chars";
	strbuf_addc(to, VALUE_OBJECT_AT); /* of no address */
	strbuf_add_repeat(to, 0, 8);
	strbuf_add_varint(to, sizeof(type) - 1);
	strbuf_add(to, type, sizeof(type) - 1);
	strbuf_add_varint(to, 1);
	strbuf_add_varint(to, sizeof(attr) - 1);
	strbuf_add(to, attr, sizeof(attr) - 1);
	strbuf_addc(to, VALUE_INT);
	strbuf_add_varint(to, n_chars << 1); /* zigzag of a number that is not negative */
}

void redact_add_value(struct strbuf *to, const char *text, size_t n_bytes)
{
	uint64_t chars = 0;
	for (size_t i = 0; i < n_bytes; i++)
		chars += ((unsigned char)text[i] & 0xc0) != 0x80;
	redact_add_length(to, chars);
}

/* ---- texts ---- */

/* Which anchor lines have a word in the text? */
static void find_anchors(const char *text, size_t n, unsigned long long ret[2])
{
	unsigned state = 0;
	ret[0] = ret[1] = 0;
	for (size_t i = 0; i < n; i++) {
		state =
		    redact_goto[state * redact_n_classes + redact_classes[(unsigned char)text[i]]];
		ret[0] |= redact_bits[state][0];
		ret[1] |= redact_bits[state][1];
	}
}

static bool has_anchors(const unsigned long long found[2], const struct redact_rule *rule)
{
	return (rule->needs[0] & ~found[0]) == 0 && (rule->needs[1] & ~found[1]) == 0;
}

/* Is `event` one of the names, which are parted by spaces? */
static bool is_event(const char *names, const char *event)
{
	size_t n = event ? strlen(event) : 0;
	for (const char *p = n ? strstr(names, event) : NULL; p; p = strstr(p + 1, event))
		if ((p == names || p[-1] == ' ') && (!p[n] || p[n] == ' '))
			return true;
	return false;
}

/* Rule i has no anchors, so that it is asked for each text: what the answer was is kept while the
 * event stays the same. */
static bool has_event(struct redactor *r, unsigned i, const char *event)
{
	if (!event)
		return false;
	if (strcmp(event, r->event) != 0) {
		r->event_rules = 0;
		snprintf(r->event, sizeof(r->event), "%s", event);
		for (unsigned k = 0; k < redact_first_rule[1] && k < 32; k++)
			r->event_rules |= (uint32_t)is_event(redact_rules[k].events, event) << k;
	}
	return i < 32 && r->event_rules >> i & 1;
}

static void add_span(struct redactor *r, size_t from, size_t to)
{
	struct span s = { from, to };
	if (from < to && !vec_push(&r->spans, s))
		r->all = true;
}

/* What one match hides. Returns where the search goes on. */
static size_t take_match(struct redactor *r, const struct compiled *c, const char *text, size_t at,
			 size_t offset)
{
	const PCRE2_SIZE *o = pcre2_get_ovector_pointer(r->match);
	int group = c->secret && o[2 * c->secret] != PCRE2_UNSET ? c->secret : c->secret2;
	size_t next = o[1] > at ? o[1] : at + 1;
	if (!group || o[2 * group] == PCRE2_UNSET)
		return next;
	size_t from = o[2 * group], to = o[2 * group + 1];
	if (c->name) {
		const char *name = text + o[2 * c->name];
		size_t n_name = o[2 * c->name + 1] - o[2 * c->name];
		if (!redact_is_secret(
			name, n_name)) { /* what looked like its value may hold the next name */
			size_t behind = o[2 * c->name + 1];
			return behind > at ? behind : at + 1;
		}
		if (redact_is_open_value(name, n_name, text + from, to - from))
			return next;
	}
	add_span(r, offset + from, offset + to);
	return to > at ? to : at + 1;
}

static void find_rule(struct redactor *r, unsigned i, const char *text, size_t n, bool is_cut,
		      size_t offset)
{
	const struct compiled *c = rule_get(r, i);
	size_t at = 0;
	int found = 0;
	if (!c) {
		add_span(r, offset, offset + n);
		return;
	}
	for (unsigned k = 0; k < MATCHES_MAX && at <= n; k++) {
		found = pcre2_match(c->code, (PCRE2_SPTR)text, n, at, 0, r->match, r->context);
		if (found < 0)
			break;
		at = take_match(r, c, text, at, offset);
	}
	if (found != PCRE2_ERROR_NOMATCH && at <= n) {
		add_span(r, offset + at, offset + n);
		return;
	}
	if (!is_cut || at > n)
		return;
	found = pcre2_match(c->code, (PCRE2_SPTR)text, n, at, PCRE2_PARTIAL_SOFT, r->match,
			    r->context);
	if (found == PCRE2_ERROR_PARTIAL) {
		unsigned long long anchors[2];
		size_t from = pcre2_get_ovector_pointer(r->match)[0];
		find_anchors(text + from, n - from, anchors);
		if (has_anchors(anchors, &redact_rules[i]))
			add_span(r, offset + from, offset + n);
	} else if (found < 0 && found != PCRE2_ERROR_NOMATCH) {
		add_span(r, offset + at, offset + n);
	}
}

/* Add the spans of a text; offset is added to each. */
static void find_spans(struct redactor *r, const char *event, const char *text, size_t n,
		       bool is_cut, bool is_argv, size_t offset)
{
	unsigned long long anchors[2];
	find_anchors(text, n, anchors);
	for (unsigned i = 0; i < redact_first_rule[1]; i++)
		if (has_event(r, i, event) && redact_rules[i].is_argv == is_argv)
			find_rule(r, i, text, n, is_cut, offset);
	for (unsigned half = 0; half < 2; half++) {
		for (unsigned long long bits = anchors[half]; bits; bits &= bits - 1) {
			unsigned line = half * 64 + (unsigned)__builtin_ctzll(bits);
			for (unsigned i = redact_first_rule[line + 1];
			     i < redact_first_rule[line + 2]; i++) {
				const struct redact_rule *rule = &redact_rules[i];
				if (has_anchors(anchors, rule) && rule->is_argv == is_argv &&
				    n >= rule->least_bytes &&
				    (!rule->events || is_event(rule->events, event)))
					find_rule(r, i, text, n, is_cut, offset);
			}
		}
	}
}

static int by_start(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	return x->from < y->from ? -1 : x->from > y->from;
}

static void merge_spans(struct redactor *r)
{
	size_t n = 0;
	if (!r->spans.n)
		return;
	qsort(r->spans.v, r->spans.n, sizeof(*r->spans.v), by_start);
	for (size_t i = 1; i < r->spans.n; i++) {
		struct span *last = &r->spans.v[n], *s = &r->spans.v[i];
		if (s->from > last->to)
			r->spans.v[++n] = *s;
		else if (s->to > last->to)
			last->to = s->to;
	}
	r->spans.n = n + 1;
}

/* Append text, which stands at `offset` of what the spans count in. *at: the first span that may
 * reach it. */
static void add_clean(struct redactor *r, const char *text, size_t n, size_t offset, size_t *at,
		      struct strbuf *to)
{
	size_t done = 0;
	if (r->all) {
		strbuf_adds(to, "***");
		return;
	}
	while (*at < r->spans.n && r->spans.v[*at].from < offset + n) {
		size_t from = r->spans.v[*at].from, end = r->spans.v[*at].to;
		if (end > offset) {
			from = from > offset ? from - offset : 0;
			strbuf_add(to, text + done, from - done);
			strbuf_adds(to, "***");
			done = end - offset < n ? end - offset : n;
			if (end > offset + n)
				break;
		}
		++*at;
	}
	strbuf_add(to, text + done, n - done);
}

bool redact_text(struct redactor *r, const char *event, const char *text, size_t n_bytes,
		 bool is_cut, struct strbuf *to)
{
	size_t at = 0;
	r->spans.n = 0;
	r->all = false;
	find_spans(r, event, text, n_bytes, is_cut, false, 0);
	if (!r->spans.n && !r->all)
		return false;
	merge_spans(r);
	add_clean(r, text, n_bytes, 0, &at, to);
	return true;
}

bool redact_words(struct redactor *r, const char *event, struct redact_word *words, size_t n_words,
		  struct strbuf *to)
{
	r->spans.n = 0;
	r->all = false;
	strbuf_clear(&r->joined);
	for (size_t i = 0; i < n_words; i++) {
		if (i)
			strbuf_addc(&r->joined, 0);
		size_t start = r->joined.n;
		strbuf_add(&r->joined, words[i].s, words[i].n);
		for (size_t k = start; k < r->joined.n; k++)
			if (!r->joined.s[k]) /* only between words */
				r->joined.s[k] = 1;
	}
	r->all |= r->joined.failed;
	find_spans(r, event, strbuf_str(&r->joined), r->joined.n, false, true, 0);
	for (size_t i = 0, start = 0; i < n_words; start += words[i].n + 1, i++)
		find_spans(r, event, words[i].s, words[i].n, words[i].is_cut, false, start);
	if (!r->spans.n && !r->all)
		return false;
	merge_spans(r);
	for (size_t i = 0, start = 0, at = 0; i < n_words; start += words[i].n + 1, i++) {
		size_t before = to->n;
		add_clean(r, words[i].s, words[i].n, start, &at, to);
		words[i].n_clean = to->n - before;
	}
	return true;
}
