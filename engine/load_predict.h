/* SPDX-License-Identifier: BSD-3-Clause */

#ifndef LOAD_PREDICT_H
#define LOAD_PREDICT_H

/**
 * @file
 * Segments that are exactly what the generator expects next, dealt with in one go.
 *
 * A closed loop of millions of connections is three such segments each: what can be known about
 * them beforehand is (predict.h, frame_shape.h), and what happens is what load_step.c would have
 * done.  They come in runs of the same kind, so a run is counted, timed and answered as one.
 * Anything else is left to it, untouched.
 */

#include <stdbool.h>

#include "engine/burst.h"

struct worker;

/**
 * Take segment @p first of a burst, and those behind it that are of the same kind.
 *
 * @return how many; 0: it is not as expected, and nothing happened.
 */
unsigned int load_predict(struct worker *worker, struct burst *burst, unsigned int first);

#endif /* LOAD_PREDICT_H */
