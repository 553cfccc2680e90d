/*
 * resized: in the program screen_resized, the terminal gets another size right after ncurses has
 * asked for it, as when a window manager places a window that has just been opened.
 */
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <curses.h>

/* The linker calls this in place of newterm(), from every file (tests/tui/meson.build). */
SCREEN *__real_newterm(const char *type, FILE *out, FILE *in);
SCREEN *__wrap_newterm(const char *type, FILE *out, FILE *in);
SCREEN *__wrap_newterm(const char *type, FILE *out, FILE *in)
{
	SCREEN *screen = __real_newterm(type, out, in);
	ioctl(STDOUT_FILENO, TIOCSWINSZ, &(struct winsize){ .ws_row = 20, .ws_col = 64 });
	return screen;
}
