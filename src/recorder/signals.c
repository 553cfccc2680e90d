/*
 * signals: see signals.h.
 */
#include "recorder/signals.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "recorder/drain.h"
#include "recorder/ending.h"
#include "recorder/holds.h"
#include "recorder/recorder_private.h"
#include "recorder/turner.h"

struct err *signals_init(struct recorder *r)
{
	sigset_t *set = &r->signals;
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	/* Under nohup(1) it stays ignored: a blocked signal would be queued all the same. */
	struct sigaction hangup;
	if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
		sigaddset(set, SIGHUP);
	sigaddset(set, SIGQUIT);
	if (turner_keeps(r->options.turner)) /* else its default action stays */
		sigaddset(set, SIGUSR1);
	if (r->options.hold.matches)
		sigaddset(set, SIGUSR2);
	sigaddset(set, SIGCHLD);
	sigprocmask(SIG_BLOCK, set, &r->old_mask);
	r->masked = true;
	r->signal_fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
	return r->signal_fd < 0 ? err_sys(errno, "cannot watch for signals") : NULL;
}

/* Is there a signal that would kill us as soon as it is no longer blocked? */
static bool has_deadly_signal(const struct recorder *r)
{
	sigset_t pending;
	if (sigpending(&pending) < 0)
		return false;
	for (int i = 1; i < NSIG; i++)
		if (i != SIGCHLD && i != SIGTSTP && sigismember(&r->signals, i) == 1 &&
		    sigismember(&pending, i) == 1)
			return true;
	return false;
}

void signals_fini(struct recorder *r)
{
	if (r->signal_fd >= 0)
		close(r->signal_fd);
	/* If a signal has ended the session, the process ends now. One more from an impatient user
	 * must not kill it before. The same holds for a signal that came while we attached, if the
	 * attach has failed: its error, which says what is left in the target, is not printed
	 * yet. */
	if (r->masked && !r->is_told_to_end && !has_deadly_signal(r))
		sigprocmask(SIG_SETMASK, &r->old_mask, NULL);
}

void signals_take_stops(struct recorder *r)
{
	struct sigaction stop;
	sigset_t set;
	if (sigaction(SIGTSTP, NULL, &stop) < 0 || stop.sa_handler == SIG_IGN)
		return;
	sigaddset(&r->signals, SIGTSTP);
	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (signalfd(r->signal_fd, &r->signals, SFD_CLOEXEC | SFD_NONBLOCK) < 0)
		log_debug("cannot watch for SIGTSTP: %s", strerror(errno));
}

/* A launched program in a session of its own is not in the foreground of our terminal, so it does
 * not get the signals of the keyboard: pass them on. */
static void pass_to_launched(const struct recorder *r, int signal)
{
	if (r->launch.own_session && r->launched == LAUNCHED_RUNS)
		kill(-r->launched_pid, signal);
}

/* Ctrl-Z: stop the launched program, then ourselves. The shell continues us. */
static void stop_with_launched(const struct recorder *r)
{
	pass_to_launched(r, SIGSTOP);
	kill(getpid(), SIGSTOP);
	pass_to_launched(r, SIGCONT);
}

static void on_signal(struct recorder *r, const struct signalfd_siginfo *info)
{
	bool from_terminal = info->ssi_code == SI_KERNEL;
	if (info->ssi_signo == SIGTSTP)
		return stop_with_launched(r);
	bool is_key = from_terminal && info->ssi_signo != SIGCHLD && info->ssi_signo != SIGUSR1 &&
		      info->ssi_signo != SIGUSR2;
	/* As system(3) has it: the keyboard is for the command of --do, a debugger perhaps. */
	if (is_key && info->ssi_signo != SIGHUP && holds_are_acting(r))
		return;
	if (is_key)
		pass_to_launched(r, (int)info->ssi_signo);
	switch (info->ssi_signo) {
	case SIGUSR1:
		if (!phase_is_leaving(r->phase))
			drain_settle(r); /* what was raised before the request is in it */
		turner_snapshot(r, NULL, -1);
		return;
	case SIGUSR2: holds_release(r); return;
	case SIGCHLD: return;
	case SIGINT:
	case SIGQUIT:
		/* The launched program got it too, and how it ends is to be recorded. A second
		 * signal is for us. */
		if (r->launched == LAUNCHED_RUNS && from_terminal && !r->options.own_terminal &&
		    !r->n_interrupts) {
			r->n_interrupts++;
			return;
		}
		break;
	default: break;
	}
	r->n_interrupts++;
	if (phase_is_leaving(r->phase))
		r->phase = PHASE_HURRYING;
	r->is_told_to_end = true;
	ending_request(r, END_STOP_SIGNAL);
}

void signals_serve(struct recorder *r)
{
	struct signalfd_siginfo info;
	while (read(r->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		on_signal(r, &info);
}
