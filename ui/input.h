/*
 * input: what the terminal reports: keys, mouse, pasted text, a new size.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* A key is a code point, or one of these. Ctrl-A … Ctrl-Z are 1 … 26, except Tab (9), Enter (13)
 * and Esc (27). */
enum key {
	KEY_NONE_ = 0,
	KEY_TAB_ = 9,
	KEY_ENTER_ = 13,
	KEY_ESC_ = 27,
	KEY_SPACE_ = 32,
	KEY_SPECIAL = 0x110000,
	KEY_UP_,
	KEY_DOWN_,
	KEY_LEFT_,
	KEY_RIGHT_,
	KEY_PGUP_,
	KEY_PGDN_,
	KEY_HOME_,
	KEY_END_,
	KEY_BKSP_,
	KEY_DEL_,
	KEY_INS_,
	KEY_STAB_,
	KEY_F1_,
	KEY_F2_,
	KEY_F3_,
	KEY_F4_,
	KEY_F5_,
	KEY_F6_,
	KEY_F7_,
	KEY_F8_,
	KEY_F9_,
	KEY_F10_,
	KEY_F11_,
	KEY_F12_,
	KEY_SPECIAL_END
};
#define KEY_CTRL(c) ((c)&0x1f)

enum input_kind {
	INPUT_NONE,
	INPUT_KEY,
	/* key is one code point of pasted text: prompts take it, all else ignores it */
	INPUT_PASTE,
	INPUT_MOUSE,
	INPUT_RESIZE,
	INPUT_HANGUP /* the terminal is gone */
};

enum mouse_kind {
	MOUSE_CLICK,
	MOUSE_DOUBLE,
	MOUSE_DRAG,
	MOUSE_RELEASE,
	MOUSE_WHEEL_UP,
	MOUSE_WHEEL_DOWN
};

struct input {
	enum input_kind kind;
	int key;
	enum mouse_kind mouse;
	int line, column;
};
