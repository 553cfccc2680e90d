/*
 * fault: see fault.h.
 */
#include "system/fault.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"

static const char *const site_names[] = {
	[FAULT_PTRACE] = "ptrace", [FAULT_CALL] = "call",     [FAULT_READ] = "read",
	[FAULT_WRITE] = "write",   [FAULT_ANSWER] = "answer", [FAULT_OWN] = "own",
	[FAULT_WAIT] = "wait",     [FAULT_ASK] = "ask",
};
_Static_assert(ARRAY_LEN(site_names) == FAULT_SITE_COUNT, "a site without a name");

static const struct {
	const char *name;
	int signal, sys; /* exactly one of them is set */
} actions[] = {
	{ "kill", SIGKILL, 0 },  { "stop", SIGSTOP, 0 },  { "EPERM", 0, EPERM },
	{ "ENOMEM", 0, ENOMEM }, { "ENOSYS", 0, ENOSYS },
};

static struct {
	enum { UNREAD, OFF, WAITS_TO_LEAVE, ON } state;
	enum fault_site site;
	unsigned action;
	long at, n;
} fault;

/* Read the value of AUDITVIEW_FAULT. Returns false if it is malformed. */
static bool parse(const char *text)
{
	bool leave = strncmp(text, "leave-", 6) == 0;
	text += leave ? 6 : 0;
	size_t n = strcspn(text, ":");
	char *end;
	for (unsigned site = 0; site < FAULT_SITE_COUNT; site++) {
		if (strlen(site_names[site]) != n || strncmp(text, site_names[site], n) != 0 ||
		    text[n] != ':')
			continue;
		fault.site = site;
		fault.at = strtol(text + n + 1, &end, 10);
		for (unsigned i = 0; i < ARRAY_LEN(actions); i++) {
			if (*end != ':' || strcmp(end + 1, actions[i].name) != 0)
				continue;
			fault.action = i;
			fault.state = leave ? WAITS_TO_LEAVE : ON;
			return true;
		}
	}
	return false;
}

static bool is_on(enum fault_site site)
{
	if (fault.state == UNREAD) {
		const char *text = getenv("AUDITVIEW_FAULT");
		fault.state = OFF;
		if (text && !parse(text))
			fprintf(stderr, "fault: %s is not understood\n", text);
	}
	return fault.state == ON && site == fault.site;
}

static void say(const char *what)
{
	fprintf(stderr, "fault: %s %ld %s\n", site_names[fault.site], fault.at, what);
	fflush(stderr);
}

int fault_before(enum fault_site site)
{
	if (!is_on(site) || ++fault.n != fault.at || !actions[fault.action].sys)
		return 0;
	fault.state = OFF;
	say("denied");
	return actions[fault.action].sys;
}

void fault_after(enum fault_site site)
{
	if (!is_on(site) || fault.n != fault.at)
		return;
	fault.state = OFF;
	say(actions[fault.action].name);
	raise(actions[fault.action].signal);
}

void fault_leaving(void)
{
	if (fault.state == WAITS_TO_LEAVE)
		fault.state = ON;
}
