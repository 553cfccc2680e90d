/*
 * frame: rules with titles, and boxes.
 */
#include "ui/area.h"
#include "ui/frame.h"
#include "ui/text.h"

#include <string.h>

void frame_draw_title(struct area a, bool focus, const char *title, const char *subject,
		      const char *facts)
{
	const char *rule = focus ? "━" : "─";
	enum role role = focus ? ROLE_FOCUS : ROLE_DIM;
	area_fill(a, 0, 0, a.n_columns, role, rule);
	int facts_w = text_width(facts, strlen(facts));
	int x = 1;
	area_put(a, 0, x++, 1, role, " ");
	x += area_put_cut(a, 0, x, a.n_columns - x - 2, focus ? ROLE_FOCUS : ROLE_TEXT, title);
	area_put(a, 0, x, 1, role, " ");
	int right = a.n_columns - 1;
	if (facts_w > a.n_columns - x - 6) /* the subject is shortened first, then the facts */
		facts_w = a.n_columns - x - 6;
	if (*subject) {
		int room = right - x - 1 - (facts_w > 0 ? facts_w + 4 : 2);
		if (room > 3) {
			x += 1 + area_put_cut(a, 0, x + 1, room, focus ? ROLE_FOCUS : ROLE_TEXT,
					      subject);
			area_put(a, 0, x, 1, role, " ");
		}
	}
	if (facts_w > 0) {
		int at = right - facts_w - 1;
		area_put(a, 0, at - 1, 1, role, " ");
		area_put_cut(a, 0, at, facts_w, ROLE_TEXT, facts);
		area_put(a, 0, right - 1, 1, role, " ");
	}
}

struct area frame_draw_box(struct area all, int line, int column, int n_lines, int n_columns,
			   const char *title)
{
	struct area a = area_sub(all, line, column, n_lines, n_columns);
	area_clear(a);
	area_put(a, 0, 0, 1, ROLE_DIM, "┌");
	area_fill(a, 0, 1, a.n_columns - 2, ROLE_DIM, "─");
	area_put(a, 0, a.n_columns - 1, 1, ROLE_DIM, "┐");
	if (title && *title) {
		area_put(a, 0, 2, 1, ROLE_DIM, " ");
		int used = area_put_cut(a, 0, 3, a.n_columns - 5, ROLE_TEXT, title);
		area_put(a, 0, 3 + used, 1, ROLE_DIM, " ");
	}
	for (int y = 1; y < a.n_lines - 1; y++) {
		area_put(a, y, 0, 1, ROLE_DIM, "│");
		area_put(a, y, a.n_columns - 1, 1, ROLE_DIM, "│");
	}
	area_put(a, a.n_lines - 1, 0, 1, ROLE_DIM, "└");
	area_fill(a, a.n_lines - 1, 1, a.n_columns - 2, ROLE_DIM, "─");
	area_put(a, a.n_lines - 1, a.n_columns - 1, 1, ROLE_DIM, "┘");
	return area_sub(a, 1, 1, a.n_lines - 2, a.n_columns - 2);
}
