/* What a run was like, for people; and the table of figures.
 * SPDX-License-Identifier: MIT */
#ifndef TERNSIM_REPORT_H
#define TERNSIM_REPORT_H

#include "ternsim/scenarios.h"

/* Goodput as a part of the bottleneck, 1 without one; printed with the rest when asked for. */
double report_run(const struct scenario *s, const struct kit_plan *plan,
                  const struct kit_result *result, bool prints);

/* Runs the standard links and the pairs that share one, and prints their figures and bars. 0, or 1
 * when one did not finish; a bar that is missed is said, and no failure. */
int report_figures(void);

#endif
