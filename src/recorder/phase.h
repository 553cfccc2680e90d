/*
 * phase: what the recorder is doing, of all that it does from its first target to its end.
 *
 *                 viewer: leave             viewer: attach
 *   RECORDING ─────────────────▶ DETACHING ▶ DETACHED ──────▶ ATTACHING ▶ RECORDING
 *       │                                        │
 *       ├──────── an end, or a request ──────────┘
 *       ▼
 *    LEAVING ── a second signal ──▶ HURRYING
 *       │                              │
 *       └──────────────┬───────────────┘
 *                      ▼
 *                   WAITING   for the end of the launched program; a request returns to LEAVING
 */
#pragma once
#include <stdbool.h>

enum phase {
	PHASE_RECORDING, /* also before recorder_run(), while targets are attached to */
	PHASE_DETACHING, /* the viewer has asked to leave the targets */
	PHASE_DETACHED,  /* no target has a probe, or probes are being taken out */
	PHASE_ATTACHING, /* the viewer has asked to go back */
	PHASE_LEAVING,   /* the session ends */
	PHASE_HURRYING,  /* the same, with shorter timeouts */
	PHASE_WAITING
};

static inline bool phase_is_detached(enum phase phase)
{
	return phase == PHASE_DETACHED || phase == PHASE_ATTACHING;
}

static inline bool phase_is_leaving(enum phase phase)
{
	return phase == PHASE_LEAVING || phase == PHASE_HURRYING;
}
