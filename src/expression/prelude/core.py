# The beginning of every program. How these files are read is in ../prelude.rs: a section begins with `#:`, its name, the
# words in an expression that ask for it (`*`: always), and the sections that it needs. `_tsr_…` is ours;
# `_tsr_host(name, payload)` asks the server and `_tsr_native(name, …)` the worker.

#: core ; * ;
_tsr_messages = []
_tsr_logs = []
_tsr_len = len
_tsr_int = int
_tsr_bool = bool
_tsr_modules = {}
http_request = None
QuerySet = Manager = User = AnonymousUser = Group = UUID = PolicyRequest = PolicyResult = None
context = None


def _tsr_truth(value):
    """A query that finds nothing is false; the interpreter calls every instance true."""
    kind = type(value)
    if kind is QuerySet:
        return value if value.exists() else []
    return value


def _tsr_each(value):
    """A query is asked before it is gone through: the interpreter cannot ask from within `__iter__`."""
    if type(value) is QuerySet:
        value._load()
    return value


def ak_message(message):
    _tsr_messages.append(str(message))


def _tsr_is_json(value):
    kind = type(value)
    if value is None or kind is str or kind is int or kind is float or kind is _tsr_bool:
        return True
    if kind is list:
        for part in value:
            if not _tsr_is_json(part):
                return False
        return True
    if kind is dict:
        for key, part in value.items():
            if type(key) is not str or not _tsr_is_json(part):
                return False
        return True
    return False


def _tsr_json(values):
    """The parts of a dictionary that are JSON."""
    return {k: v for k, v in values.items() if type(k) is str and _tsr_is_json(v)}


#: thing ;  ;
class _TsrThing:
    def __init__(self, **fields):
        for name, value in fields.items():
            setattr(self, name, value)


#: dt ;  ;
import datetime as _tsr_dt


#: re ;  ;
import re as _tsr_re
