/* SPDX-License-Identifier: Apache-2.0
 * cli/interrupt.h -- Ctrl-C and a polite kill, for work that has something to save or to remove
 * before it ends. */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include <stdbool.h>

/** From now on the first SIGINT or SIGTERM only asks; a second one ends the process as usual. */
void interrupt_listen(void);
/** Whether the process was asked to stop. */
bool interrupted(void);

#endif
