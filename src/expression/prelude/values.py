# Identifiers and addresses, and what can leave the interpreter.

#: uuid ; uuid ; re
class UUID:
    def __init__(self, hex=None, bytes=None, int=None, version=None):
        if hex is None and int is not None:
            hex = f'{int:032x}'
        elif hex is None:
            raise TypeError('one of the hex, bytes, bytes_le, fields, or int arguments must be given')
        digits = hex.replace('urn:', '').replace('uuid:', '').strip('{}').replace('-', '')
        if _tsr_len(digits) != 32 or not _tsr_re.fullmatch('[0-9a-fA-F]*', digits):
            raise ValueError('badly formed hexadecimal UUID string')
        self.hex = digits.lower()
        self.int = _tsr_int(digits, 16)
        self.version = _tsr_int(digits[12], 16)

    def __str__(self):
        h = self.hex
        return f'{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}'

    def __repr__(self):
        return f"UUID('{self}')"

    def __eq__(self, other):
        return type(other) is UUID and other.hex == self.hex

    def __hash__(self):
        return hash(self.hex)


def _tsr_uuid5(namespace, name):
    return UUID(_tsr_native('uuid5', namespace.hex, name))


#: address ; ip_ ;
class _TsrAddress:
    def __init__(self, facts):
        for name, value in facts.items():
            setattr(self, name, value)
        self._number = int(facts['_number'], 16)

    def __str__(self):
        return self.compressed

    def __repr__(self):
        return f"IPv{self.version}Address('{self.compressed}')"

    def __eq__(self, other):
        return type(other) is _TsrAddress and other.compressed == self.compressed

    def __hash__(self):
        return hash(self.compressed)


class _TsrNetwork:
    def __init__(self, facts):
        for name, value in facts.items():
            setattr(self, name, value)
        self.network_address = _TsrAddress(self.network_address)
        self.broadcast_address = _TsrAddress(self.broadcast_address)
        self.netmask = _TsrAddress(self.netmask)

    def __str__(self):
        return self.with_prefixlen

    def __repr__(self):
        return f"IPv{self.version}Network('{self.with_prefixlen}')"

    def __eq__(self, other):
        return type(other) is _TsrNetwork and other.with_prefixlen == self.with_prefixlen

    def __hash__(self):
        return hash(self.with_prefixlen)

    def __contains__(self, address):
        if type(address) is not _TsrAddress or address.version != self.version:
            return False
        return self.network_address._number <= address._number <= self.broadcast_address._number

    def subnet_of(self, other):
        return self.network_address in other and self.broadcast_address in other

    def supernet_of(self, other):
        return other.subnet_of(self)

    def overlaps(self, other):
        return self.network_address in other or other.network_address in self


def ip_address(address):
    if type(address) is _TsrAddress:
        return address
    facts = _tsr_native('address', address if type(address) is str else repr(address))
    if facts is None:
        raise ValueError(f'{address!r} does not appear to be an IPv4 or IPv6 address')
    return _TsrAddress(facts)


def ip_network(address, strict=True):
    if type(address) is _TsrNetwork:
        return address
    facts = _tsr_native('network', str(address), _tsr_bool(strict))
    if facts is None:
        raise ValueError(f'{address!r} does not appear to be an IPv4 or IPv6 network')
    if type(facts) is str:
        raise ValueError(facts)
    return _TsrNetwork(facts)


#: plain ;  ; dt
def _tsr_plain(value):
    """What can leave the interpreter, the way the original writes it down."""
    kind = type(value)
    if value is None or kind is str or kind is int or kind is float or kind is _tsr_bool:
        return value
    if kind is dict:
        return {str(k): _tsr_plain(v) for k, v in value.items()}
    if kind is list or kind is tuple or kind is set or kind is frozenset:
        return [_tsr_plain(v) for v in value]
    if kind is User or kind is AnonymousUser:
        return {'pk': value.pk, 'email': value.email, 'username': value.username}
    if kind is Group:
        return {'app': 'authentik_core', 'model_name': 'group', 'pk': value.pk.hex, 'name': value.name}
    if kind is UUID:
        return value.hex
    if kind is QuerySet:
        return [_tsr_plain(v) for v in value._load()]
    if kind is PolicyRequest:
        return {'user': _tsr_plain(value.user), 'obj': _tsr_plain(value.obj),
                'context': _tsr_plain(value.context), 'debug': value.debug, 'http_request': None}
    if kind is PolicyResult:
        return {'passing': value.passing, 'messages': _tsr_plain(value.messages)}
    if isinstance(value, (_tsr_dt.datetime, _tsr_dt.date, _tsr_dt.time)):
        return value.isoformat()
    return str(value)


#: query ; ; plain
def _tsr_lookup(value):
    """A value in a query."""
    kind = type(value)
    if kind is User or kind is Group:
        return _tsr_lookup(value.pk)
    if kind is UUID:
        return str(value)
    if kind is list or kind is tuple or kind is set or kind is frozenset:
        return [_tsr_lookup(v) for v in value]
    if kind is QuerySet:
        return [_tsr_lookup(v) for v in value._load()]
    if kind is dict:
        return {str(k): _tsr_lookup(v) for k, v in value.items()}
    return _tsr_plain(value)
