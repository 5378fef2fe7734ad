/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef NUMBER_H
#define NUMBER_H

/**
 * @file
 * Numbers as people write them: 250k, 1.5M, 300us, 10s.
 */

#include <stdbool.h>
#include <stdint.h>

/** A count or rate; k, M and G are powers of a thousand. */
bool number_parse(const char *text, double *number);

/** A whole number in a range; with k, M and G too. */
bool number_parse_whole(const char *text, uint64_t least, uint64_t most, uint64_t *number);

/** A time: us, ms, s (also without a unit), m or h. */
bool number_parse_time(const char *text, uint64_t *us);

/** At most three digits and a unit: "3.87 M", "0.5". @return text */
const char *number_format(double number, char text[16]);

#define NUMBER_GROUPED_SIZE 32

/** To be compared digit by digit: "100,000,000", "4,213.7", "0.001". @return text */
const char *number_format_grouped(double number, char text[NUMBER_GROUPED_SIZE]);

/** "12 us", "3.4 ms". @return text */
const char *number_format_us(uint64_t us, char text[16]);

#endif /* NUMBER_H */
