/*
 * mailbox: see mailbox.h.
 */
#include "visit/mailbox.h"

#include "system/remote_mem.h"

#define PAGE      4096u
#define PENDING   2u           /* a base is aligned to a page; an answer is 1 or at least -4095 */
#define ERRNO_MAX 4095         /* Linux include/linux/err.h, MAX_ERRNO */
#define BASE_MIN  (1ull << 16) /* below is vm.mmap_min_addr */

/* Every value of the word has a meaning here, so all bits are taken. */
static uint64_t bits(guest_u64 word)
{
	uint64_t v = 0;
	return guest_take64(word, 0, UINT64_MAX, &v) ? v : 0;
}

struct mailbox mailbox_decode(guest_u64 word)
{
	uint64_t v = bits(word);
	if (!v)
		return (struct mailbox){ .says = MAILBOX_EMPTY };
	if ((v & (PAGE - 1)) == PENDING)
		return (struct mailbox){ .says = MAILBOX_PENDING };
	if ((int64_t)v < 0 && (int64_t)v >= -ERRNO_MAX)
		return (struct mailbox){ .says = MAILBOX_ERRNO, .sys = (int)-(int64_t)v };
	return (struct mailbox){ .says = MAILBOX_ANSWER, .answer = v };
}

bool mailbox_is_answer(guest_u64 word)
{
	enum mailbox_says says = mailbox_decode(word).says;
	return says == MAILBOX_ANSWER || says == MAILBOX_ERRNO;
}

bool mailbox_names(guest_u64 word, uint64_t base)
{
	return (bits(word) & ~(uint64_t)PENDING) == base;
}

uint64_t mailbox_reservation(guest_u64 word)
{
	uint64_t v = bits(word);
	return v < BASE_MIN || (int64_t)v < 0 ? 0 : v & ~(uint64_t)(PAGE - 1);
}

bool mailbox_read(struct remote_mem *mem, raddr mailbox, guest_u64 *ret)
{
	uint64_t word;
	if (!remote_mem_read(mem, mailbox, &word, sizeof(word)))
		return false;
	*ret = GUEST64(word);
	return true;
}

uint64_t mailbox_word_pending(uint64_t base)
{
	return base ? base | PENDING : 0;
}

uint64_t mailbox_word_done(uint64_t base)
{
	return base ? base : 1;
}
