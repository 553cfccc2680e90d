/*
 * audit_scan_aarch64: the scanner of audit_scan.h for code of this CPU.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct audit_scan;

void audit_scan_aarch64(struct audit_scan *scan, const uint8_t *code, size_t n, uint64_t address);
void audit_scan_aarch64_callees(struct audit_scan *scan, const uint8_t *code, size_t n,
				uint64_t address);
