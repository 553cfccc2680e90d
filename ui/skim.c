/*
 * skim: see skim.h. The parts of a line are separated by spaces, and the word contains no space: it
 * is inside one part.
 */
#include "ui/skim.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/vec.h"
#include "model/filter_scan.h"
#include "model/trace.h"
#include "ui/event_row.h"
#include "ui/search.h"
#include "ui/view.h"

enum { ARGS_SLOTS = 1 << 20 }; /* each holds one verdict; a new one replaces an older one */

enum verdict { UNKNOWN, NO, YES };

typedef VEC(uint8_t) verdict_vec;

struct args_slot {
	uint32_t args, name; /* 0: empty */
	int16_t minor;
	uint8_t verdict;
};

struct skim {
	/* has_exotic: the word has letters that equal non-ASCII letters if case is ignored */
	bool is_on, has_exotic, is_for_folds;
	struct row_look look;
	char *pattern;
	struct scan_needle word;
	verdict_vec names, threads, stacks, tasks;
	struct args_slot *args;
	struct strbuf text;
};

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '/' || c == '-';
}

/* Could the word not be part of a time (digits and dots) or of an address (0x and digits)? */
static bool is_telling(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strchr("0123456789abcdefABCDEFxX", s[i]))
			return true;
	return false;
}

static void word_end(const char *s, size_t n, const char **best, size_t *n_best)
{
	if (n >= 2 && n > *n_best && is_telling(s, n)) {
		*best = s;
		*n_best = n;
	}
}

/* Find the longest word that every hit of the pattern contains. If the pattern is too complex to be
 * sure, there is none. */
static size_t word_of(const char *p, const char **ret)
{
	const char *run = p, *best = NULL;
	size_t n_best = 0;
	for (;; p++) {
		if (is_word_char(*p))
			continue;
		size_t n = (size_t)(p - run);
		if (*p == '?' || *p == '*' || *p == '{') /* the last character is optional */
			n = n ? n - 1 : 0;
		word_end(run, n, &best, &n_best);
		if (!*p)
			break;
		if (*p == '|' || *p == '(' || *p == ')')
			return 0;
		if (*p == '{') { /* {2,5} */
			p += strspn(p + 1, "0123456789,") + 1;
			if (*p != '}')
				return 0;
		} else if (*p == '\\') {
			p++;
			if (!*p || (is_word_char(*p) && !strchr("dDwWsSbBhHvV/-_", *p)))
				return 0;
		} else if (*p == '[') {
			p += p[1] == '^' ? 2 : 1;
			for (p += *p == ']'; *p && *p != ']'; p++) {
				if (*p == '[' || (*p == '\\' && !*++p))
					return 0;
			}
			if (!*p)
				return 0;
		}
		run = p + 1;
	}
	*ret = best;
	return n_best;
}

struct skim *skim_create(void)
{
	return calloc(1, sizeof(struct skim));
}

static void forget(struct skim *k)
{
	vec_fini(&k->names);
	vec_fini(&k->threads);
	vec_fini(&k->stacks);
	vec_fini(&k->tasks);
	free(k->args);
	k->args = NULL;
	free(k->pattern);
	k->pattern = NULL;
	k->is_on = false;
}

void skim_destroy(struct skim *k)
{
	if (!k)
		return;
	forget(k);
	strbuf_fini(&k->text);
	free(k);
}

void skim_begin(struct skim *k, const struct search *search, const struct row_look *look)
{
	k->threads.n = k->tasks.n = 0; /* they get their names late */
	if (k->pattern && !strcmp(k->pattern, search->text) && row_look_is_same(&k->look, look))
		return;
	forget(k);
	k->look = *look;
	const char *word = NULL;
	size_t n = word_of(search->text, &word);
	k->pattern = strdup(search->text);
	k->args = n ? calloc(ARGS_SLOTS, sizeof(*k->args)) : NULL;
	k->is_on = k->pattern && k->args;
	if (!k->is_on)
		return;
	bool is_caseless = search_is_caseless(search->text);
	k->word = scan_needle_make(word, n, is_caseless);
	k->is_for_folds = event_row_fold_may_have(word, n);
	/* U+017F and U+212A equal s and k if case is ignored */
	k->has_exotic = false;
	for (size_t i = 0; is_caseless && i < n; i++)
		k->has_exotic |= strchr("kKsS", word[i]) != NULL;
}

/* Judge k->text, and empty it. */
static enum verdict judge(struct skim *k)
{
	const uint8_t *p = (const uint8_t *)strbuf_str(&k->text);
	bool has = k->text.failed || scan_find(&k->word, p, p + k->text.n);
	if (!has && k->has_exotic)
		has = memmem(p, k->text.n, "\xc5\xbf", 2) ||
		      memmem(p, k->text.n, "\xe2\x84\xaa", 3);
	strbuf_clear(&k->text);
	return has ? YES : NO;
}

static uint8_t *slot_of(verdict_vec *v, uint32_t id)
{
	size_t n = v->n;
	if (id >= n) {
		if (!vec_reserve(v, id + 1 - n))
			return NULL;
		memset(v->v + n, UNKNOWN, id + 1 - n);
		v->n = id + 1;
	}
	return &v->v[id];
}

static bool args_may(struct skim *k, struct view *s, const struct event *e)
{
	int minor = view_minor_of(s, e->process);
	uint64_t h = ((uint64_t)e->args << 32 | (uint64_t)e->name << 8 | (uint8_t)minor) *
		     0x9e3779b97f4a7c15u;
	struct args_slot *slot = &k->args[h >> 44];
	static_assert(ARGS_SLOTS == 1 << 20, "20 bits of the hash");
	if (slot->args != e->args || slot->name != e->name || slot->minor != minor ||
	    slot->verdict == UNKNOWN) {
		/* words of a text that is cut are in the one that is not */
		event_text_args(&k->text, s, e, 1 << 20);
		strbuf_addc(&k->text, ' ');
		event_text_gist(&k->text, s, e, 1 << 20);
		*slot = (struct args_slot){ e->args, e->name, (int16_t)minor, (uint8_t)judge(k) };
	}
	return slot->verdict == YES;
}

static bool task_may(struct skim *k, struct view *s, const struct event *e)
{
	uint8_t *task = slot_of(&k->tasks, e->task);
	if (task && *task == UNKNOWN) {
		event_row_task(&k->text, s, e);
		*task = (uint8_t)judge(k);
	}
	return !task || *task == YES;
}

bool skim_may_match(struct skim *k, struct view *s, const struct event *e)
{
	if (!k->is_on)
		return true;
	uint8_t *name = slot_of(&k->names, e->name), *thread = slot_of(&k->threads, e->thread),
		*stack = slot_of(&k->stacks, e->stack);
	if (!name || !thread || !stack)
		return true;
	if (*name == UNKNOWN) {
		event_text_name(&k->text, s, e->name);
		*name = (uint8_t)judge(k);
	}
	if (*thread == UNKNOWN) {
		event_text_thread(&k->text, s, e->thread, 64);
		strbuf_addc(&k->text, ' ');
		event_text_thread(&k->text, s, e->thread, k->look.columns.thread_w);
		strbuf_addc(&k->text, ' ');
		if (k->look.columns.host_w)
			event_row_host(&k->text, s, e);
		strbuf_addc(&k->text, ' ');
		if (k->look.columns.interp_w)
			event_row_interp(&k->text, s, e);
		*thread = (uint8_t)judge(k);
	}
	if (*stack == UNKNOWN) {
		event_text_caller(&k->text, s, e, true);
		strbuf_addc(&k->text, ' ');
		if (k->look.columns.package_w)
			event_row_package(&k->text, s, e);
		*stack = (uint8_t)judge(k);
	}
	struct fold fold;
	return *name == YES || *thread == YES || *stack == YES || args_may(k, s, e) ||
	       (k->look.columns.task_w && task_may(k, s, e)) ||
	       (k->is_for_folds && event_row_fold(s, e->seq, &fold));
}
