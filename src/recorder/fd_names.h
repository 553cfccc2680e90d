/*
 * fd_names: what the descriptors in the arguments of an event were.
 *
 * The number alone says little, and no event says which number open() returned. So the recorder
 * looks in /proc/PID/fd while it decodes the event. That is late: by then the descriptor may be
 * closed, and its number in use for something else. What is found is therefore shown as "was". The
 * event gets no answer
 *
 *   - if there is no such descriptor any more,
 *   - if a socket was used and the number is no socket now,
 *   - if the process opened a file of that name (any socket, if a socket was found) between the
 *     event and the look: it may be the one that was found. Such an event is decoded after the
 *     answer was given, so answers are taken back (writer_event_doubt()) as long as they are not
 *     written. That works as far as the events of opening are recorded (option -e).
 *
 * An answer serves all events that were raised before the look. So the cost is bounded by one look
 * per descriptor and round of the recorder, however many events a program raises.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct process;
struct recorder;

struct fd_names_event {
	const char *name;
	uint32_t args; /* bit N: argument N, or the fd of the object in it, may be a descriptor */
};
extern const struct fd_names_event fd_names_events[]; /* by name, bytewise */
extern const size_t fd_names_n_events;

#define FD_NAMES_OPENS 0x80000000u /* an event of this name makes a descriptor */
/* The arguments of an event that may be descriptors, and FD_NAMES_OPENS; 0: it is not looked at. */
uint32_t fd_names_of(const char *name, size_t n_bytes);

/* An event of the process was raised at the capture time time_ns; it is the next that is written.
 * wanted: fd_names_of() its name; args: as the probe wrote them. Returns the value id of what the
 * descriptors were (writer.h, event_info); 0 nothing is known. */
uint32_t fd_names_look(struct recorder *r, struct process *p, uint32_t wanted, const uint8_t *args,
		       size_t n_bytes, uint64_t time_ns);
void fd_names_fini(struct process *p);
