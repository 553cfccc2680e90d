/*
 * rescue: a signal that an instruction of the probe has caused is taken back, so that its program
 * does not get it.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

struct recorder;

/* A thread is before the delivery of SIGSEGV or SIGSYS. If the probe has caused the signal, mend
 * what it was doing and return true: the thread continues without the signal. */
bool rescue_thread(struct recorder *r, pid_t pid, pid_t tid, int signal);
