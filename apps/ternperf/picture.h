/* A trace as a picture: what `ternperf trace --svg FILE` draws.
 * SPDX-License-Identifier: MIT */
#ifndef TERNPERF_PICTURE_H
#define TERNPERF_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

struct picture;

/* NULL: no memory. What it takes does not grow with the trace. */
struct picture *picture_new(void);
void picture_free(struct picture *picture); /* NULL is fine */

/* Times in ms since the beginning of the trace. Figures that are not known are negative. */
void picture_packet(struct picture *picture, double at, bool is_sent, double bytes);
void picture_lost(struct picture *picture, double at);
void picture_metrics(struct picture *picture, double at, double cwnd, double in_flight,
                     double latest, double smoothed);
/* A word for a moment; the first few have room. */
void picture_mark(struct picture *picture, double at, const char *word);

/* Writes it as SVG, titled `title`. False with errno: it could not be written. */
bool picture_write(const struct picture *picture, const char *file, const char *title);

#endif
