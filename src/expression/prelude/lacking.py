# What the interpreter lacks of the language; ../rewrite.rs leads there.

#: bool ; bool ;
def bool(*values):
    return _tsr_bool(*[_tsr_truth(v) for v in values])


#: any ; any( ;
_tsr_any = any


def any(values):
    for value in values:
        if _tsr_truth(value):
            return True
    return False


#: all ; all( ;
_tsr_all = all


def all(values):
    for value in values:
        if not _tsr_truth(value):
            return False
    return True


#: filter ; filter ; bool
_tsr_filter = filter


def filter(function, values):
    if function is None or function is bool:
        return iter([v for v in values if _tsr_truth(v)])
    return iter([v for v in values if _tsr_truth(function(v))])


#: map ; map ;
def map(function, *values):
    return iter([function(*each) for each in zip(*[_tsr_each(v) for v in values])])


#: sorted ; key= ;
_tsr_sorted = sorted


def sorted(values, key=None, reverse=False):
    values = list(values)
    if key is None:
        return _tsr_sorted(values, reverse=reverse)
    keys = [key(value) for value in values]
    order = _tsr_sorted(range(_tsr_len(keys)), key=lambda index: keys[index], reverse=reverse)
    return [values[index] for index in order]


#: len ; len ;
def len(value):
    kind = type(value)
    if kind is QuerySet:
        return value.count()
    return _tsr_len(value)


#: reversed ; reversed ;
_tsr_reversed = reversed


def reversed(value):
    if type(value) is QuerySet:
        return iter(value._load()[::-1])
    return _tsr_reversed(value)


#: callable ; callable ;
def callable(value):
    return type(value).__name__ in ('function', 'builtin_function_or_method', 'method', 'type', 'partial')


#: format ; format ;
def format(value, spec=''):
    return f'{value:{spec}}'


#: percent ; % ; re
def _tsr_mod(left, right):
    kind = type(left)
    if kind is not str:
        return left % right
    return _tsr_percent(left, right)


def _tsr_percent(text, values):
    out, at, named = [], 0, type(values) is dict
    if type(values) is not tuple:
        values = (values,)
    used = 0
    for found in _tsr_re.finditer(r'%(?:\((\w+)\))?([-+ 0#]*)(\d+)?(?:\.(\d+))?([%sdrifFgGeExXoc]|$|.)', text):
        out.append(text[at:found.start()])
        at = found.end()
        key, flags, width, precision, kind = found.groups()
        if kind == '%':
            out.append('%')
            continue
        if kind == '':
            raise ValueError('incomplete format')
        if key is not None:
            if not named:
                raise TypeError('format requires a mapping')
            value = values[0][key]
        else:
            if used >= _tsr_len(values):
                raise TypeError('not enough arguments for format string')
            value = values[used]
            used += 1
        if kind == 's' or kind == 'r':
            piece = str(value) if kind == 's' else repr(value)
            if precision is not None:
                piece = piece[:int(precision)]
        elif kind == 'd' or kind == 'i':
            if type(value) is str or value is None:
                raise TypeError(f'%{kind} format: a real number is required, not {type(value).__name__}')
            piece = str(int(value))
            if '+' in flags and value >= 0:
                piece = '+' + piece
        elif kind == 'c':
            piece = value if type(value) is str else chr(value)
        elif kind in 'fFgGeE':
            piece = f'{float(value):{"+" if "+" in flags else ""}.{6 if precision is None else precision}{kind}}'
        elif kind in 'xXo':
            piece = f'{value:{"#" if "#" in flags else ""}{kind}}'
        else:
            raise ValueError(f"unsupported format character '{kind}'")
        if width is not None:
            if '-' in flags:
                piece = piece.ljust(int(width))
            elif '0' in flags and kind != 's' and kind != 'r':
                piece = piece.zfill(int(width))
            else:
                piece = piece.rjust(int(width))
        out.append(piece)
    out.append(text[at:])
    if used < _tsr_len(values) and not named:
        raise TypeError('not all arguments converted during string formatting')
    return ''.join(out)


#: or ; | ;
def _tsr_or(left, right):
    if type(left) is dict and type(right) is dict:
        both = dict(left)
        both.update(right)
        return both
    return left | right
