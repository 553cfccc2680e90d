#include "ui/ui.h"
void pane_summary_by(struct pane *p, const char *f) { (void)p; (void)f; }
void pane_catalog_show(struct pane *p, const char *f) { (void)p; (void)f; }
bool pane_terminal_read(struct ui *ui) { (void)ui; return false; }
__attribute__((weak)) struct err *filter_complete(struct trace *t, const char *text, size_t n_bytes, size_t cursor, struct filter_completion *ret) { (void)t;(void)text;(void)n_bytes;(void)cursor; *ret=(struct filter_completion){0}; return NULL; }
__attribute__((weak)) void filter_completion_fini(struct filter_completion *c) { (void)c; }
