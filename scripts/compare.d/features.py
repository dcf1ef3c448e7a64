"""All rows, in the order of the table.

A row is a function of a Subject. The first line of its docstring is the row's title, the rest is
what is tried. It returns a Cell: yes, no or part, and what was seen. One that ends with an
exception of the client (nothing came in time, the connection was closed) has seen a no.
"""

import beginning
import behind
import ending
import hostile
import order
import visible


def features():
    return (beginning.ROWS + behind.ROWS + order.ROWS + hostile.ROWS + visible.ROWS + ending.ROWS)
