# Functions that expressions find (contract: authentik-core §5.7).

#: logger ; ak_logger ; percent,plain
class _TsrLogger:
    def __init__(self, name, bound):
        self._name = name
        self._bound = bound

    def _write(self, level, event, values, fields):
        if values:
            event = _tsr_percent(str(event), values[0] if _tsr_len(values) == 1 and type(values[0]) is dict else values)
        fields = {**self._bound, **fields}
        _tsr_logs.append([level, str(event), {k: _tsr_plain(v) for k, v in fields.items()}])

    def bind(self, **fields):
        return _TsrLogger(self._name, {**self._bound, **fields})

    def new(self, **fields):
        return _TsrLogger(self._name, fields)

    def unbind(self, *names):
        return _TsrLogger(self._name, {k: v for k, v in self._bound.items() if k not in names})

    def debug(self, event=None, *values, **fields):
        self._write('debug', event, values, fields)

    def info(self, event=None, *values, **fields):
        self._write('info', event, values, fields)

    def warning(self, event=None, *values, **fields):
        self._write('warning', event, values, fields)

    def warn(self, event=None, *values, **fields):
        self._write('warning', event, values, fields)

    def error(self, event=None, *values, **fields):
        self._write('error', event, values, fields)

    def exception(self, event=None, *values, **fields):
        self._write('error', event, values, fields)

    def critical(self, event=None, *values, **fields):
        self._write('critical', event, values, fields)

    def fatal(self, event=None, *values, **fields):
        self._write('critical', event, values, fields)

    def trace(self, event=None, *values, **fields):
        self._write('debug', event, values, fields)


ak_logger = _TsrLogger('', {})


#: group_member ; ak_is_group_member ; models
def ak_is_group_member(user, *positional, **lookups):
    if positional:
        raise TypeError(f'BaseEvaluator.expr_is_group_member() takes 1 positional argument but {1 + _tsr_len(positional)} were given')
    if type(user) is not User:
        return user.all_groups().filter(**lookups).exists()
    return _tsr_host('is_group_member', {'user': user.pk, 'lookups': {k: _tsr_lookup(v) for k, v in lookups.items()}})


#: user_by ; ak_user_by ; models
def ak_user_by(*positional, **lookups):
    if positional:
        raise TypeError(f'BaseEvaluator.expr_user_by() takes 0 positional arguments but {_tsr_len(positional)} were given')
    return User.objects.filter(**lookups).first()


#: authenticator ; ak_user_has_authenticator ;
def ak_user_has_authenticator(user, device_type=None):
    return False


#: regex ; regex_ ; re
def regex_match(value, regex):
    return _tsr_re.match(regex, value) is not None


def regex_replace(value, regex, repl):
    return _tsr_re.sub(regex, repl, value)


#: flatten ; list_flatten ;
def list_flatten(value):
    if type(value) is list:
        return value[0] if _tsr_len(value) > 0 else None
    return value


#: slugify ; slugify ; re
import unicodedata as _tsr_ucd


def slugify(value, allow_unicode=False):
    value = str(value)
    if allow_unicode:
        value = _tsr_ucd.normalize('NFKC', value)
        value = _tsr_re.sub(r'[^\w\s-]', '', value.lower())
    else:
        value = ''.join([c for c in _tsr_ucd.normalize('NFKD', value) if ord(c) < 128])
        value = _tsr_re.sub(r'[^a-zA-Z0-9_\s-]', '', value).lower()
    return _tsr_re.sub(r'[-\s]+', '-', value).strip('-_')


#: session ; requests ;
class Session:
    """There is no network: every request is refused."""

    def __init__(self):
        self.headers = {'User-Agent': 'authentik@2024.8.2', 'Accept-Encoding': 'gzip, deflate',
                        'Accept': '*/*', 'Connection': 'keep-alive'}

    def _refuse(self):
        raise RuntimeError('Expressions have no network access.')

    def request(self, *a, **k):
        self._refuse()

    def get(self, *a, **k):
        self._refuse()

    def post(self, *a, **k):
        self._refuse()

    def put(self, *a, **k):
        self._refuse()

    def patch(self, *a, **k):
        self._refuse()

    def delete(self, *a, **k):
        self._refuse()

    def head(self, *a, **k):
        self._refuse()

    def options(self, *a, **k):
        self._refuse()


requests = Session()


#: dns ; _dns ;
def resolve_dns(host, ip_version=None):
    """Without a network no name resolves; the original answers an empty list then, too."""
    return []


def reverse_dns(ip_addr):
    """The original answers the address itself when nothing is known about it."""
    return str(ip_addr)
