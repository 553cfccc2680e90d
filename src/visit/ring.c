/*
 * ring: see ring.h.
 */
#include "visit/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/monotonic.h"
#include "base/proc_status.h"
#include "system/fault.h"
#include "system/maps.h"
#include "system/remote_io.h"
#include "visit/check.h"
#include "visit/trial.h"

static uint64_t round_up(uint64_t v, uint64_t to)
{
	return (v + to - 1) & ~(to - 1);
}

void ring_lay_out(struct ring *r, uint32_t n_slots, uint64_t slot_data_bytes,
		  uint64_t first_data_bytes, bool counts)
{
	*r = (struct ring){
		.n_slots = n_slots,
		.slots_off = round_up(sizeof(struct ring_shared), PROBE_PAGE),
		.slot_data_bytes = slot_data_bytes,
		.slot_bytes = PROBE_PAGE + slot_data_bytes,
		.first_extra_bytes = first_data_bytes - slot_data_bytes,
	};
	r->n_bytes = ring_slot_off(r, n_slots);
	if (counts) {
		r->counts_off = r->n_bytes;
		r->n_bytes += (uint64_t)n_slots * COUNTS_BYTES;
	}
}

/* ---- opening ---- */

/* The device of the kernel's own mount of tmpfs (mm/shmem.c, shm_mnt). Files on it can be made only
 * by mmap(MAP_SHARED | MAP_ANONYMOUS), memfd_create() and shmget(). */
uint64_t ring_device(void)
{
	static uint64_t known; /* constant while the machine runs */
	struct stat st;
	int fd = known ? -1 : memfd_create("auditview-device", MFD_CLOEXEC);
	if (fd >= 0 && fstat(fd, &st) == 0)
		known = st.st_dev;
	if (fd >= 0)
		close(fd);
	return known;
}

bool ring_can_open_map_files(void)
{
	/* Try it rather than guess from capabilities. */
	char path[96];
	void *p = mmap(NULL, PROBE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return false;
	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (unsigned long)p,
		 (unsigned long)p + PROBE_PAGE);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	munmap(p, PROBE_PAGE);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

struct err *ring_file_create(const struct ring *r, int *ret_fd)
{
	int fd = memfd_create("auditview-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return err_sys(errno, "cannot create shared memory");
	/* Any process that opens it by our /proc/PID/fd could shorten it without seals, and we
	 * would get SIGBUS. */
	if (ftruncate(fd, (off_t)r->n_bytes) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		struct err *err = err_sys(errno, "cannot make shared memory of %zu bytes",
					  r->n_bytes);
		close(fd);
		return err;
	}
	*ret_fd = fd;
	return NULL;
}

static bool is_earlier(struct timespec a, const struct timespec *b)
{
	return a.tv_sec != b->tv_sec ? a.tv_sec < b->tv_sec : a.tv_nsec < b->tv_nsec;
}

/*
 * Is this file what mmap(MAP_SHARED | MAP_ANONYMOUS) has made for us? The name alone proves
 * nothing: in a mount namespace of its own a process can have a file "/dev/zero (deleted)". The
 * device proves that the kernel made the file. The name then tells by which call it was made
 * (mm/shmem.c, shmem_zero_setup(); a memory file is called "/memfd:…", the third kind "/SYSV…"), so
 * no descriptor can refer to it. Its time of change is the time of its creation, because a change
 * needs a descriptor too. If that is before our request, it is memory that the process had before,
 * perhaps shared with others.
 */
static struct err *prove_anonymous(const struct ring *r, int fd, const struct timespec *since)
{
	char path[64], name[64] = "";
	struct stat st;
	struct timespec now;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fstat(fd, &st) < 0 || readlink(path, name, sizeof(name) - 1) < 0)
		return err_sys(errno, "cannot examine the shared memory");
	const char *what = !S_ISREG(st.st_mode) || st.st_dev != ring_device() ||
				   strcmp(name, "/dev/zero (deleted)") != 0
			       ? "a file"
			   : st.st_nlink != 0 || st.st_ino != r->inode ? "other memory"
			   : st.st_size != (off_t)r->n_bytes           ? "memory of another size"
			   : is_earlier(st.st_ctim, since) ? "memory that was there before"
							   : NULL;
	/* If the clock was set back meanwhile, the time of a change proves nothing. */
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (is_earlier(now, since))
		return err_with_hint(err_create(ERR_BUSY, "the clock of this machine was set back "
							  "while the probe was being mapped"),
				     "try again");
	if (what)
		return err_create(
		    ERR_CORRUPT,
		    "where the target was told to map memory that is shared with us, it has %s",
		    what);
	return NULL;
}

/* The process may have mapped something else there since `maps` was read, so the opened file itself
 * is checked. */
static struct err *open_mapping(const struct ring *r, pid_t pid, const struct mapping *m,
				const struct timespec *since, int *ret_fd)
{
	char path[128];
	pid_t tid = proc_living_thread(pid);
	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", (int)(tid ? tid : pid),
		 (unsigned long long)m->start, (unsigned long long)m->end);
	int denied = fault_before(FAULT_OWN);
	struct remote_io io = remote_io_of(pid);
	int fd = denied ? -1 : remote_io_open_shared(&io, path);
	if (fd < 0 && !denied && errno == ENOTSUP)
		return err_create(ERR_CORRUPT,
				  "where the target was told to map memory that is shared with "
				  "us, it has a file");
	if (fd < 0)
		return err_sys(denied ? denied : errno, "cannot open the shared memory %s", path);
	struct err *err = prove_anonymous(r, fd, since);
	if (err)
		close(fd);
	else
		*ret_fd = fd;
	return err;
}

struct err *ring_open(struct ring *r, pid_t pid, const struct maps *maps, uint64_t start, int fd,
		      const struct timespec *since)
{
	const struct mapping *m = maps_find(maps, RADDR(start));
	struct stat st;
	int own = -1;
	if (!m || m->start != start || m->end != start + r->n_bytes || !m->shared)
		return err_create(ERR_TARGET_GONE,
				  "the ring is not where process %d was told to put it", (int)pid);
	/* Memory that the process can only read was not made for us: another process writes to
	 * it. */
	if (!m->write || m->exec || m->offset)
		return err_create(ERR_CORRUPT,
				  "where process %d was told to put the ring it has something else",
				  (int)pid);
	r->dev = m->dev;
	r->inode = m->inode;
	struct err *err = NULL;
	if (fd < 0)
		err = open_mapping(r, pid, m, since, &own);
	else if (fstat(fd, &st) < 0)
		err = err_sys(errno, "cannot examine the shared memory");
	else if (st.st_ino != m->inode || st.st_dev != m->dev)
		err = err_create(ERR_CORRUPT,
				 "process %d has not mapped the memory file that it was told to",
				 (int)pid);
	if (err) {
		r->dev = r->inode = 0; /* a process that has this memory is not related to ours */
		return err;
	}
	int saved = fault_before(FAULT_OWN);
	void *p = saved ? MAP_FAILED
			: mmap(NULL, r->n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
			       own >= 0 ? own : fd, 0);
	saved = saved ? saved : errno;
	fault_after(FAULT_OWN);
	if (own >= 0)
		close(own);
	if (p == MAP_FAILED)
		return err_sys(saved, "cannot map the shared memory of process %d", (int)pid);
	r->shared = p;
	return NULL;
}

void ring_close(struct ring *r)
{
	if (r->shared)
		munmap(r->shared, r->n_bytes);
	r->shared = NULL;
}

void ring_drop_memory(struct ring *r)
{
	if (r->shared)
		madvise((uint8_t *)r->shared + PROBE_PAGE, r->n_bytes - PROBE_PAGE, MADV_REMOVE);
}

/* ---- what we write ---- */

static struct ring_slot *slot_at(const struct ring *r, uint32_t slot)
{
	CHECK(slot < r->n_slots);
	return (struct ring_slot *)((uint8_t *)r->shared + ring_slot_off(r, slot));
}

static void wake(const void *word, int n)
{
	syscall(SYS_futex, word, FUTEX_WAKE, n, NULL, NULL, 0);
}

static struct {
	pid_t pid; /* of the process that `half` is for: it is not inherited by fork(2) */
	uint32_t half, n;
} nonces;

static uint32_t own_half(void)
{
	if (nonces.pid != getpid()) {
		nonces.pid = getpid();
		if (getrandom(&nonces.half, sizeof(nonces.half), 0) != sizeof(nonces.half) ||
		    !nonces.half)
			nonces.half = (uint32_t)(monotonic_ns() >> 8) | 1;
	}
	return nonces.half;
}

uint64_t ring_nonce_new(void)
{
	return (uint64_t)own_half() << 32 | ++nonces.n;
}

bool ring_nonce_is_own(guest_u64 nonce)
{
	uint64_t first = (uint64_t)own_half() << 32, proved;
	return guest_take64(nonce, first, first | UINT32_MAX, &proved);
}

void ring_begin(struct ring *r, uint64_t nonce, uint32_t filter)
{
	r->nonce = nonce;
	r->filter = filter;
	r->state = RING_ON;
	ring_restore(r);
}

void ring_restore(struct ring *r)
{
	struct ring_shared *s = r->shared;
	s->magic = PROBE_MAGIC;
	s->abi = PROBE_ABI;
	s->n_slots = r->n_slots;
	s->slot_data_bytes = r->slot_data_bytes;
	s->slot_bytes = r->slot_bytes;
	s->first_extra_bytes = r->first_extra_bytes;
	s->slots_off = (uint32_t)r->slots_off;
	s->recorder_pid = (uint32_t)getpid();
	s->filter_on = r->filter;
	s->nonce = r->nonce;
	ring_set_state(r, r->state);
}

bool ring_is_overwritten(const struct ring *r)
{
	const struct ring_shared *s = r->shared;
	return s && (!guest_is64(GUEST_LOAD(&s->magic), PROBE_MAGIC) ||
		     !guest_is64(GUEST_LOAD(&s->nonce), r->nonce) ||
		     !guest_is32(GUEST_LOAD(&s->enabled), r->state) ||
		     !guest_is32(GUEST_LOAD(&s->filter_on), r->filter));
}

void ring_set_state(struct ring *r, enum ring_state state)
{
	r->state = state;
	__atomic_store_n(&r->shared->enabled, (uint32_t)state, __ATOMIC_SEQ_CST);
}

void ring_beat(struct ring *r)
{
	__atomic_store_n(&r->shared->heartbeat, ++r->heartbeat, __ATOMIC_RELAXED);
}

void ring_tick(struct ring *r, const struct ring_tick *tick, uint64_t ticks_per_ns)
{
	/* while events arrive at the same moment, each of them adds something */
	enum { TRIES = 100 };
	struct ring_shared *s = r->shared;
	/* theirs: it is only ever raised */
	uint64_t now = __atomic_load_n(&s->now, __ATOMIC_RELAXED);
	for (unsigned try = 0; try < TRIES && now < tick->ticks; try++)
		if (__atomic_compare_exchange_n(&s->now, &now, tick->ticks, false, __ATOMIC_SEQ_CST,
						__ATOMIC_RELAXED))
			break;
	r->tick ^= 1;
	__atomic_store_n(&s->ticks[r->tick].ticks, tick->ticks, __ATOMIC_RELAXED);
	__atomic_store_n(&s->ticks[r->tick].mono_ns, tick->mono_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&s->ticks_per_ns, ticks_per_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&s->tick, r->tick, __ATOMIC_RELEASE);
}

static uint64_t verdict_word(uint64_t hash, uint32_t verdict)
{
	return (hash & ~3ull) | verdict;
}

/* Where the verdict on a name is, or the free place where it belongs; VERDICT_COUNT: neither.
 * *ret_is: what stands there, which is ours, or was overwritten: it only decides what is shown of
 * the target. */
static uint32_t verdict_place(const struct ring *r, uint64_t hash, uint64_t *ret_is)
{
	for (uint32_t k = 0; k < VERDICT_COUNT; k++) {
		uint32_t place = (uint32_t)((hash + k) % VERDICT_COUNT);
		*ret_is = __atomic_load_n(&r->shared->verdicts[place], __ATOMIC_RELAXED);
		if (!*ret_is || (*ret_is & ~3ull) == (hash & ~3ull))
			return place;
	}
	return VERDICT_COUNT;
}

bool ring_add_verdict(struct ring *r, uint64_t hash, uint32_t verdict, uint32_t *ret_place)
{
	uint64_t is;
	*ret_place = verdict_place(r, hash, &is);
	if (*ret_place == VERDICT_COUNT || is)
		return false;
	__atomic_store_n(&r->shared->verdicts[*ret_place], verdict_word(hash, verdict),
			 __ATOMIC_RELAXED);
	return true;
}

bool ring_set_verdict(struct ring *r, uint64_t hash, uint32_t verdict, bool may_add)
{
	uint64_t is;
	uint32_t place = verdict_place(r, hash, &is);
	if (place == VERDICT_COUNT || (!is && !may_add))
		return false;
	/* One word holds name and verdict, so a thread sees the old one or the new one. */
	if (is != verdict_word(hash, verdict))
		__atomic_store_n(&r->shared->verdicts[place], verdict_word(hash, verdict),
				 __ATOMIC_RELAXED);
	return !is;
}

/*
 * A thread reads filter_on, then verdicts, both without an order. It may see the new filter_on with
 * old verdicts: then it takes a wanted event as before, or waits for an event that cannot match,
 * and the recorder, which decides about every event that waits, releases it. It may see new
 * verdicts with the old filter_on: then the change is not made yet for this event. x86_64 shows
 * both in the order of the stores; on arm64 the wait for nothing can happen.
 */
void ring_set_filter(struct ring *r, uint32_t filter)
{
	if (r->filter == filter)
		return;
	r->filter = filter;
	__atomic_store_n(&r->shared->filter_on, filter, __ATOMIC_RELEASE);
}

bool ring_has_verdict(const struct ring *r, uint32_t place, uint64_t hash, uint32_t verdict)
{
	CHECK(place < VERDICT_COUNT);
	return guest_is64(GUEST_LOAD(&r->shared->verdicts[place]), verdict_word(hash, verdict));
}

/* The counters of a slot. */
static uint64_t *counts_at(const struct ring *r, uint32_t slot)
{
	CHECK(slot < r->n_slots && r->counts_off);
	return (uint64_t *)((uint8_t *)r->shared + r->counts_off + (uint64_t)slot * COUNTS_BYTES);
}

bool ring_slot_consume(struct ring *r, uint32_t slot, uint64_t tail, guest_u64 *ret_head)
{
	struct ring_slot *s = slot_at(r, slot);
	uint64_t head, size = ring_slot_size(r, slot), most = tail + size;
	*ret_head = ring_slot_head(r, slot);
	__atomic_store_n(&s->tail, tail, __ATOMIC_SEQ_CST);
	/* theirs: if it is wrong, their thread sleeps for too long or too short */
	uint32_t waiting = __atomic_load_n(&s->waiting, __ATOMIC_SEQ_CST);
	if (!waiting ||
	    (waiting < size && !guest_take64(ring_slot_head(r, slot), tail, most - waiting, &head)))
		return false;
	__atomic_store_n(&s->waiting, 0, __ATOMIC_SEQ_CST);
	wake(&s->waiting, INT32_MAX);
	return true;
}

void ring_slot_free(struct ring *r, uint32_t slot)
{
	struct ring_slot *s = slot_at(r, slot);
	madvise((uint8_t *)s + PROBE_PAGE, ring_slot_size(r, slot), MADV_REMOVE);
	if (r->counts_off)
		madvise(counts_at(r, slot), COUNTS_BYTES, MADV_REMOVE);
	/* `state` keeps its value until all else is cleared: as soon as it is SLOT_FREE, a process
	 * may claim the slot and write to it. */
	const size_t behind = offsetof(struct ring_slot, state) + sizeof(s->state);
	s->head = 0;
	memset((uint8_t *)s + behind, 0, offsetof(struct ring_slot, generation) - behind);
	s->generation++; /* for debuggers */
	__atomic_store_n(&s->state, SLOT_FREE, __ATOMIC_RELEASE);
	__atomic_fetch_add(&r->shared->slots_freed, 1, __ATOMIC_SEQ_CST);
	/* a process has waited at some time, so one may be waiting */
	if (__atomic_load_n(&r->shared->slot_waited, __ATOMIC_SEQ_CST))
		wake(&r->shared->slots_freed, 1);
}

void ring_slot_give_up(struct ring *r, uint32_t slot)
{
	struct ring_slot *s = slot_at(r, slot);
	__atomic_store_n(&s->state, SLOT_GIVEN_UP, __ATOMIC_SEQ_CST);
	wake(&s->waiting, INT32_MAX);
}

void ring_wake_all(struct ring *r)
{
	if (!r->shared)
		return;
	wake(&r->shared->slots_freed, INT32_MAX);
	for (uint32_t i = 0; i < RING_HOLDS; i++)
		if (ring_held(r, i).state != HOLD_FREE)
			wake(&r->shared->holds[i].ticket, INT32_MAX);
	for (uint32_t i = 0; i < r->n_slots; i++)
		if (ring_slot_is_claimed(r, i))
			wake(&slot_at(r, i)->waiting, INT32_MAX);
}

/* ---- what others write ---- */

guest_u32 ring_n_claims(const struct ring *r)
{
	return GUEST_LOAD(&r->shared->slots_claimed);
}

guest_u64 ring_n_unserved(const struct ring *r)
{
	return GUEST_LOAD(&r->shared->lost_unserved);
}

bool ring_is_waited_for(const struct ring *r)
{
	enum { BEATS = 3 }; /* of 100 ms; a process that still waits renews this after one beat */
	guest_u32 waited = GUEST_LOAD(&r->shared->slot_waited);
	return !guest_is32(waited, 0) && r->heartbeat + 1 - guest_shown32(waited) <= BEATS;
}

bool ring_slot_is_claimed(const struct ring *r, uint32_t slot)
{
	const struct ring_slot *s = slot_at(r, slot);
	return guest_is32(GUEST_LOAD(&s->state), SLOT_ACTIVE) &&
	       !guest_is32(GUEST_LOAD(&s->pid), 0);
}

bool ring_slot_waits(const struct ring *r, uint32_t slot)
{
	return __atomic_load_n(&slot_at(r, slot)->waiting, __ATOMIC_SEQ_CST) != 0;
}

guest_u64 ring_slot_head(const struct ring *r, uint32_t slot)
{
	return GUEST_LOAD(&slot_at(r, slot)->head);
}

guest_u64 ring_slot_count(const struct ring *r, uint32_t slot, uint32_t place)
{
	CHECK(place < VERDICT_COUNT);
	return GUEST_LOAD(&counts_at(r, slot)[place]);
}

guest_u64 ring_slot_n_dropped(const struct ring *r, uint32_t slot)
{
	return GUEST_LOAD(&slot_at(r, slot)->n_dropped);
}

const struct ring_slot *ring_slot_borrow(const struct ring *r, uint32_t slot)
{
	return slot_at(r, slot);
}

struct ring_claim ring_slot_claim(const struct ring *r, uint32_t slot)
{
	const struct ring_slot *s = slot_at(r, slot);
	return (struct ring_claim){
		.pid = GUEST_LOAD(&s->pid),
		.parent_pid = GUEST_LOAD(&s->parent_pid),
		.tid = GUEST_LOAD(&s->tid),
		.birth = GUEST_LOAD(&s->birth),
		.thread = GUEST_LOAD(&s->thread),
	};
}

guest_u32 ring_n_asked(const struct ring *r)
{
	return GUEST_LOAD(&r->shared->n_asked);
}

/* Give the ticket this state, if it is still the one that was seen. */
static bool ticket_answer(uint64_t *at, uint64_t seen, unsigned state)
{
	return __atomic_compare_exchange_n(at, &seen, (seen & ~TICKET_STATES) | state, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

struct ring_question ring_question(const struct ring *r, uint32_t place)
{
	CHECK(place < RING_ASKS);
	const struct ring_ask *at = &r->shared->asks[place];
	uint64_t ticket = guest_shown64(GUEST_LOAD(&at->ticket)), state = ticket & TICKET_STATES;
	return (struct ring_question){
		.ticket = ticket,
		.state = state <= ASK_NO ? (enum ask_state)state : ASK_FREE,
		.identity = GUEST_LOAD(&at->identity),
		.tid = GUEST_LOAD(&at->tid),
	};
}

void ring_answer(struct ring *r, uint32_t place, const struct ring_question *question,
		 enum ask_state answer)
{
	CHECK(place < RING_ASKS);
	ticket_answer(&r->shared->asks[place].ticket, question->ticket, answer);
}

void ring_say_held(struct ring *r, uint32_t n, uint32_t first_tid, uint64_t since_ns)
{
	r->shared->held_tid = first_tid;
	r->shared->held_since_ns = since_ns;
	__atomic_store_n(&r->shared->n_held, n, __ATOMIC_RELEASE);
}

guest_u32 ring_n_holds(const struct ring *r)
{
	return GUEST_LOAD(&r->shared->n_holds);
}

guest_u32 ring_n_holds_missed(const struct ring *r)
{
	return GUEST_LOAD(&r->shared->holds_missed);
}

struct ring_held ring_held(const struct ring *r, uint32_t place)
{
	CHECK(place < RING_HOLDS);
	const struct ring_hold *at = &r->shared->holds[place];
	uint64_t ticket = guest_shown64(GUEST_LOAD(&at->ticket)), state = ticket & TICKET_STATES;
	return (struct ring_held){
		.ticket = ticket,
		.state = state < HOLD_STATE_COUNT ? (enum hold_state)state : HOLD_FREE,
		.identity = GUEST_LOAD(&at->identity),
		.head = GUEST_LOAD(&at->head),
		.slot = GUEST_LOAD(&at->slot),
		.tid = GUEST_LOAD(&at->tid),
	};
}

bool ring_held_set(struct ring *r, uint32_t place, const struct ring_held *held,
		   enum hold_state state)
{
	CHECK(place < RING_HOLDS);
	uint64_t *at = &r->shared->holds[place].ticket;
	bool is_changed = ticket_answer(at, held->ticket, state);
	if (is_changed && state != HOLD_HELD)
		wake(at, INT32_MAX);
	return is_changed;
}

bool ring_head_check(const struct ring *r, uint32_t slot, guest_u64 head, uint64_t tail,
		     uint64_t *ret)
{
	uint64_t most = tail + ring_slot_size(r, slot), proved;
	if (most < tail || !guest_take64(head, tail, most, &proved) || proved % 8)
		return false;
	*ret = proved;
	return true;
}

bool ring_record_check(const struct ring *r, uint32_t slot, uint64_t tail, uint64_t head,
		       struct record *ret)
{
	uint64_t size = ring_slot_size(r, slot), at = tail & (size - 1), to_end = size - at;
	uint64_t most = head - tail < to_end ? head - tail : to_end;
	struct record record = { 0 };
	if (tail % 8 || most < 8)
		return false;
	ring_record_read(r, slot, tail, &record, most < sizeof(record) ? 8 : sizeof(record));
	uint32_t bytes;
	if (!guest_take32(GUEST32(record.size), 8, most > UINT32_MAX ? UINT32_MAX : (uint32_t)most,
			  &bytes) ||
	    bytes % 8)
		return false;
	if (bytes < sizeof(record) && record.type != RECORD_PAD)
		return false;
	*ret = record;
	return true;
}

void ring_record_read(const struct ring *r, uint32_t slot, uint64_t tail, void *to, size_t n_bytes)
{
	uint64_t size = ring_slot_size(r, slot), at = tail & (size - 1);
	CHECK(n_bytes <= size - at);
	memcpy(to, (const uint8_t *)slot_at(r, slot) + PROBE_PAGE + at, n_bytes);
}

/* ---- what doctor says of it ---- */

static void check_map_files(const struct check_facts *p, struct finding *f)
{
	if (p->trial->map_files_errno == 0)
		return check_say(f, CHECK_OK, "the ring is shared through /proc/PID/map_files");
	if (p->trial->memfd_errno) {
		check_say(
		    f, CHECK_NO,
		    "neither through /proc/PID/map_files (%s) nor through a memory file of ours "
		    "(%s)",
		    strerror(p->trial->map_files_errno), strerror(p->trial->memfd_errno));
		return check_cure(
		    f, "run as root, or with CAP_CHECKPOINT_RESTORE (Linux 5.9 and later)");
	}
	check_say(
	    f, CHECK_NOTE,
	    "/proc/PID/map_files cannot be opened (%s); the ring is shared through a memfd, which "
	    "uses a file descriptor "
	    "of the target for an instant",
	    strerror(p->trial->map_files_errno));
	check_cure(f, "run as root, or with CAP_CHECKPOINT_RESTORE (Linux 5.9 and later)");
}

const struct check ring_check = { "share memory", check_map_files };
