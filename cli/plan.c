/* SPDX-License-Identifier: Apache-2.0
 * cli/plan.c -- lines of a plan as results. */
#include "plan.h"
#include "facts.h"

json_t *plan_fact(const vq_plan_line *line, vq_direction direction)
{
    static const char *const words[VQ_DIRECTIONS] = {"forward", "data", "weights"};
    size_t rank = 4;
    while (rank > 0 && line->shape[rank - 1] == 0) rank--;
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "node", line->node, "operation",
                     line->operation, "direction", words[direction], "implementation",
                     line->implementation[direction], "shape",
                     rank ? fact_list(line->shape, rank) : json_null(), "gflop",
                     fact_number(1e-9 * line->flops[direction]));
}
