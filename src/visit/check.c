/*
 * check: see check.h.
 */
#include "visit/check.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/proc_status.h"
#include "visit/access.h"

const char check_cure_in_container[] =
    "Docker: --cap-add=SYS_PTRACE (and --security-opt seccomp=unconfined before Linux 4.8); "
    "Kubernetes: securityContext: "
    "{capabilities: {add: [SYS_PTRACE]}}; or run auditview on the host, which sees every container";

void check_say(struct finding *f, enum check_kind kind, const char *fmt, ...)
{
	va_list ap;
	f->kind = kind;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

void check_cure(struct finding *f, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(f->cure, sizeof(f->cure), fmt, ap);
	va_end(ap);
}

bool check_has_cap(const struct check_facts *p, int cap)
{
	return p->own->cap_effective >> cap & 1;
}

bool check_is_there(const struct check_facts *p)
{
	return p->facts->exists && p->facts->status.tgid == p->facts->pid &&
	       p->facts->status.has_memory;
}
