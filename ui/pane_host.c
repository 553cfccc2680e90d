/*
 * pane_host: each verb is passed on to the app.
 */
#include "ui/pane_host.h"

#include <stdarg.h>

void host_act(const struct pane_host *h, enum action action, uint64_t count, const char *text)
{
	h->ops->act(h->app, action, count, text);
}

void host_flash(const struct pane_host *h, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	h->ops->flash(h->app, fmt, ap);
	va_end(ap);
}

void host_flash_err(const struct pane_host *h, struct err *err)
{
	h->ops->flash_err(h->app, err);
}

void host_dialog(const struct pane_host *h, const char *text)
{
	h->ops->dialog(h->app, text);
}

void host_copy(const struct pane_host *h, const char *text, size_t n_bytes)
{
	h->ops->copy(h->app, text, n_bytes);
}

void host_redraw(const struct pane_host *h)
{
	h->ops->redraw(h->app);
}

void host_changed(const struct pane_host *h, unsigned changes)
{
	h->ops->changed(h->app, changes);
}

bool host_set_filter(const struct pane_host *h, const char *text, bool remember)
{
	return h->ops->set_filter(h->app, text, remember);
}

void host_narrow(const struct pane_host *h, const char *term, bool exclude)
{
	h->ops->narrow(h->app, term, exclude);
}

void host_goto(const struct pane_host *h, uint64_t seq)
{
	h->ops->go_to(h->app, seq);
}

void host_set_cursor(const struct pane_host *h, uint64_t seq)
{
	h->ops->set_cursor(h->app, seq);
}

void host_follow(const struct pane_host *h, bool on)
{
	h->ops->follow(h->app, on);
}

void host_remember_place(const struct pane_host *h)
{
	h->ops->remember_place(h->app);
}

void host_focus(const struct pane_host *h, enum pane_id id)
{
	h->ops->focus(h->app, id);
}

void host_open_page(const struct pane_host *h, enum pane_id id)
{
	h->ops->open_page(h->app, id);
}

void host_close_pages(const struct pane_host *h, enum which_pages which)
{
	h->ops->close_pages(h->app, which);
}

struct pane *host_pane(const struct pane_host *h, enum pane_id id)
{
	return h->ops->pane(h->app, id);
}

struct err *host_open_source(const struct pane_host *h, struct app_source *source,
			     enum session_place place)
{
	return h->ops->open_source(h->app, source, place);
}

void host_ask(const struct pane_host *h, const struct prompt_ops *prompt, const char *text)
{
	h->ops->ask(h->app, prompt, text);
}

void host_keep_marks(const struct pane_host *h)
{
	h->ops->keep_marks(h->app);
}
