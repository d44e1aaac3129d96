/* The arithmetic of forward error correction: the field of 256 elements and the coefficients. [P §16.6]
 *
 * A repair is the sum of symbols, each times its coefficient 1 / (x + y), where x is one of 128 values for
 * the repair and y one of the 128 others for the symbol: a Cauchy matrix, of which each square part has an
 * inverse. So as many repairs as symbols are missing bring them back, whichever they are.
 * SPDX-License-Identifier: MIT */
#ifndef TERN_STREAM_FEC_CODE_H
#define TERN_STREAM_FEC_CODE_H

#include "base/def.h"

/* Polynomials over GF(2) modulo x^8 + x^4 + x^3 + x^2 + 1; a sum is the exclusive or. */
uint8_t tern_fec_multiply(uint8_t a, uint8_t b);
uint8_t tern_fec_invert(uint8_t a); /* not of 0 */

/* Of a symbol in a repair; both numbers count modulo 128. Never 0. */
uint8_t tern_fec_coefficient(unsigned repair, unsigned symbol);

/* out += factor * in, and block *= factor, byte by byte. */
void tern_fec_add(uint8_t *restrict out, const uint8_t *restrict in, size_t len, uint8_t factor);
void tern_fec_scale(uint8_t *block, size_t len, uint8_t factor);

#endif
