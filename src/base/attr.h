/*
 * attr: compiler attributes and scoped clean-up, one spelling each.
 */
#pragma once
#include <stddef.h>

#define MUST_CHECK                      __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt_arg, first_arg) __attribute__((format(printf, fmt_arg, first_arg)))
#define UNUSED                          __attribute__((unused))
#define NORETURN                        __attribute__((noreturn))
/* These arguments, counted from 1, are never NULL, also if their length is 0: the compiler warns of
 * a call that passes one, and a build with -fsanitize=undefined checks it at run time. */
#define NOT_NULL(...) __attribute__((nonnull(__VA_ARGS__)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/*
 * CLEANUP(filter) struct filter *f = NULL; calls filter_destroy(f) when f leaves its scope.
 * A type opts in with DEFINE_CLEANUP(filter) in its header; return_ptr(f) hands the object out
 * instead.
 */
#define CLEANUP(noun) __attribute__((cleanup(noun##_cleanup_)))
#define DEFINE_CLEANUP(noun)                                                                       \
	static inline void noun##_cleanup_(struct noun **p)                                        \
	{                                                                                          \
		noun##_destroy(*p);                                                                \
	}                                                                                          \
	struct noun
#define take_ptr(p)                                                                                \
	({                                                                                         \
		__typeof__(p) taken_ = (p);                                                        \
		(p) = NULL;                                                                        \
		taken_;                                                                            \
	})
#define return_ptr(p) return take_ptr(p)
