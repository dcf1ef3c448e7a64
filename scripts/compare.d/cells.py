"""What every row is made of: the verdict, and the function that comes to it."""

from dataclasses import dataclass

from wire import h2

YES, PART, NO = "yes", "part", "no"
SOON = 3.0              # seconds within which something that works has happened
LARGE = "/10m.bin"
SMALL = "/1k.txt"
WIDE = {h2.INITIAL_WINDOW_SIZE: 64 << 20}


@dataclass
class Cell:
    """note: the footnote of a part, and maybe of a no. seen: what the verdict rests on."""
    verdict: str
    seen: str = ""
    note: str = ""


def feature(rows):
    """A decorator that adds a function as a row: `rows` is its file's list."""
    def add(function):
        title, _, tried = function.__doc__.partition("\n\n")
        function.title = title.strip().rstrip(".")
        function.tried = " ".join(tried.split())
        function.name = function.__name__.replace("_", "-")
        rows.append(function)
        return function
    return add


def cell_of(function, subject):
    try:
        return function(subject)
    except (h2.WireTimeout, h2.WireClosed, OSError) as error:
        return Cell(NO, f"{type(error).__name__}: {str(error).splitlines()[0]}")


def yes_if(condition, seen):
    return Cell(YES if condition else NO, str(seen))
