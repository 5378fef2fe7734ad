/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef OUTSIDE_H
#define OUTSIDE_H

/**
 * @file
 * What an engine takes from outside itself beside packets: chance, and the time of day.
 *
 * Both come from the kernel, unless they were fixed before the engine was assembled: a replay has
 * to give the same answers to the same packets every time.  The clock of struct clock is a
 * different one, and is moved by hand there.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/** From here on chance comes from a seed, and time stands still until outside_set_ms(). */
void outside_fix(uint64_t seed, uint64_t unix_ms);

/** Move the fixed time. */
void outside_set_ms(uint64_t unix_ms);

/** Random bytes. @return false when the kernel gives none. */
bool outside_random(void *bytes, size_t size);

/** Milliseconds of a clock; the fixed time stands for all of them. */
uint64_t outside_ms(clockid_t clock);

#endif /* OUTSIDE_H */
