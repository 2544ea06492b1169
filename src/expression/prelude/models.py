# Accounts, groups, and queries for them.

#: models ; user,User,group,Group,request,objects ; uuid,query
def _tsr_time(text):
    if text is None:
        return None
    return _tsr_native('datetime', text)


def _tsr_object(model, row):
    if row is None:
        return None
    return User(row) if model == 'user' else Group(row)


class QuerySet:
    """Objects that the server finds; nothing is asked before it must be."""

    def __init__(self, model, base, filters, order):
        self._model = model
        self._base = base
        self._filters = filters
        self._order = order
        self._found = None

    def _more(self, kind, positional, lookups):
        if positional:
            raise TypeError('Q objects are not supported')
        filters = self._filters
        if lookups:
            filters = filters + [[kind, {k: _tsr_lookup(v) for k, v in lookups.items()}]]
        return QuerySet(self._model, self._base, filters, self._order)

    def _ask(self, what):
        return _tsr_host('query', {'model': self._model, 'base': self._base, 'filters': self._filters,
                                   'order': self._order, 'what': what})

    def all(self):
        return self._more('filter', (), {})

    def filter(self, *positional, **lookups):
        return self._more('filter', positional, lookups)

    def exclude(self, *positional, **lookups):
        return self._more('exclude', positional, lookups)

    def order_by(self, *fields):
        return QuerySet(self._model, self._base, self._filters, list(fields))

    def distinct(self):
        return self.all()

    def select_related(self, *fields):
        return self.all()

    def prefetch_related(self, *fields):
        return self.all()

    def exists(self):
        if self._found is not None:
            return _tsr_len(self._found) > 0
        return self._ask('exists')

    def count(self):
        if self._found is not None:
            return _tsr_len(self._found)
        return self._ask('count')

    def first(self):
        return _tsr_object(self._model, self._ask('first'))

    def last(self):
        return _tsr_object(self._model, self._ask('last'))

    def get(self, *positional, **lookups):
        found = self._more('filter', positional, lookups)._load()
        name = 'User' if self._model == 'user' else 'Group'
        if not found:
            raise LookupError(f'{name} matching query does not exist.')
        if _tsr_len(found) > 1:
            raise LookupError(f'get() returned more than one {name} -- it returned {_tsr_len(found)}!')
        return found[0]

    def values_list(self, *fields, flat=False):
        if flat and _tsr_len(fields) != 1:
            raise TypeError("'flat' is not valid when values_list is called with more than one field.")
        rows = []
        for item in self._load():
            row = tuple([getattr(item, field) for field in fields])
            rows.append(row[0] if flat else row)
        return rows

    def values(self, *fields):
        return [{field: getattr(item, field) for field in fields} for item in self._load()]

    def _load(self):
        if self._found is None:
            self._found = [_tsr_object(self._model, row) for row in self._ask('list')]
        return self._found

    def __iter__(self):
        if self._found is None:
            raise NotImplementedError('a query can be gone through with for, in a comprehension, or after list()')
        return iter(self._found)

    def __contains__(self, item):
        for own in iter(self):
            if own == item:
                return True
        return False

    def __str__(self):
        return '<QuerySet ...>' if self._found is None else f'<QuerySet {self._found}>'

    def __repr__(self):
        return str(self)


class Manager:
    """Where a query starts."""

    def __init__(self, model, base):
        self._start = QuerySet(model, base, [], [])

    def all(self):
        return self._start.all()

    def filter(self, *positional, **lookups):
        return self._start.filter(*positional, **lookups)

    def exclude(self, *positional, **lookups):
        return self._start.exclude(*positional, **lookups)

    def order_by(self, *fields):
        return self._start.order_by(*fields)

    def exists(self):
        return self._start.exists()

    def count(self):
        return self._start.count()

    def first(self):
        return self._start.first()

    def last(self):
        return self._start.last()

    def get(self, *positional, **lookups):
        return self._start.get(*positional, **lookups)

    def values_list(self, *fields, flat=False):
        return self._start.values_list(*fields, flat=flat)

    def values(self, *fields):
        return self._start.values(*fields)


class User:
    objects = Manager('user', None)
    DoesNotExist = LookupError
    MultipleObjectsReturned = LookupError

    def __init__(self, row):
        self.pk = row['pk']
        self.id = row['pk']
        self.uuid = UUID(row['uuid'])
        self.uid = row['uid']
        self.username = row['username']
        self.name = row['name']
        self.email = row['email']
        self.is_active = row['is_active']
        self.type = row['type']
        self.path = row['path']
        self.attributes = row['attributes']
        self.date_joined = _tsr_time(row['date_joined'])
        self.password_change_date = _tsr_time(row['password_change_date'])
        self.last_login = _tsr_time(row['last_login'])
        self._tsr_usable = row['usable']
        self.is_authenticated = True
        self.is_anonymous = False
        self.ak_groups = Manager('group', ['of', self.pk])
        self.groups = self.ak_groups
        if 'is_superuser' in row:
            self.is_superuser = row['is_superuser']
            self.is_staff = row['is_superuser']
        if 'avatar' in row:
            self.avatar = row['avatar']

    def all_groups(self):
        return QuerySet('group', ['above', self.pk], [], [])

    def has_usable_password(self):
        return self._tsr_usable

    def group_attributes(self, request=None):
        return _tsr_host('group_attributes', self.pk)

    def locale(self, request=None):
        settings = self.attributes.get('settings')
        return settings.get('locale', '') if type(settings) is dict else ''

    def get_username(self):
        return self.username

    def get_full_name(self):
        return self.name

    def __str__(self):
        return self.username

    def __repr__(self):
        return f'<User: {self.username}>'

    def __eq__(self, other):
        return type(other) is User and other.pk == self.pk

    def __hash__(self):
        return hash(self.pk)


class AnonymousUser:
    def __init__(self):
        self.pk = None
        self.id = None
        self.username = ''
        self.name = ''
        self.email = ''
        self.type = 'internal'
        self.path = ''
        self.attributes = {}
        self.is_active = False
        self.is_superuser = False
        self.is_staff = False
        self.is_authenticated = False
        self.is_anonymous = True
        self.ak_groups = Manager('group', ['none'])
        self.groups = self.ak_groups

    def all_groups(self):
        return QuerySet('group', ['none'], [], [])

    def group_attributes(self, request=None):
        return {}

    def locale(self, request=None):
        return ''

    def __str__(self):
        return 'AnonymousUser'

    def __eq__(self, other):
        return type(other) is AnonymousUser

    def __hash__(self):
        return 1


class Group:
    objects = Manager('group', None)
    DoesNotExist = LookupError
    MultipleObjectsReturned = LookupError

    def __init__(self, row):
        self.pk = UUID(row['pk'])
        self.group_uuid = self.pk
        self.name = row['name']
        self.is_superuser = row['is_superuser']
        self.attributes = row['attributes']
        self.parent_id = None if row['parent_id'] is None else UUID(row['parent_id'])
        self.users = Manager('user', ['in', row['pk']])
        self.children = Manager('group', ['below', row['pk']])
        if 'parent' in row:
            self.parent = None if row['parent'] is None else Group(row['parent'])

    def is_member(self, user):
        return user.all_groups().filter(pk=self.pk).exists()

    def __str__(self):
        return f'Group {self.name}'

    def __repr__(self):
        return f'<Group: {self}>'

    def __eq__(self, other):
        return type(other) is Group and other.pk == self.pk

    def __hash__(self):
        return hash(self.name)
