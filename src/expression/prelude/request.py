# What is asked, and other policies.

#: slot ; request. ;
def _tsr_slot(name):
    raise AttributeError(f"'PolicyRequest' object has no attribute '{name}'")


#: http ; http ; thing
class WSGIRequest:
    def __init__(self, facts, user):
        self.path = facts['path']
        self.path_info = facts['path']
        self.method = facts['method']
        self.META = facts['meta']
        self.headers = facts['headers']
        self.GET = facts['get']
        self.POST = {}
        self.COOKIES = {}
        self.FILES = {}
        self.session = {}
        self.request_id = facts['id']
        self.content_type = facts['headers'].get('Content-Type', '')
        self.brand = _TsrThing(**facts['brand'])
        self.tenant = _TsrThing(**facts['tenant'])
        self.user = user

    def get_host(self):
        return self.META.get('HTTP_HOST', '')

    def get_full_path(self):
        query = self.META.get('QUERY_STRING', '')
        return f'{self.path}?{query}' if query else self.path

    def is_secure(self):
        return False

    def __str__(self):
        return f"<WSGIRequest: {self.method} '{self.get_full_path()}'>"

    def __repr__(self):
        return str(self)


#: request ; request ; models,dt
class PolicyRequest:
    def __init__(self, user, http_request, context, debug):
        self.user = user
        self.http_request = http_request
        self.obj = None
        self.context = context
        self.debug = debug

    def __str__(self):
        return f'<PolicyRequest user={self.user} http_request={self.http_request} obj={self.obj} debug={self.debug}>'

    def __repr__(self):
        return str(self)


#: call_policy ; ak_call_policy,PolicyResult ;
class PolicyResult:
    def __init__(self, passing, messages):
        self.passing = passing
        self.messages = tuple(messages)
        self.log_messages = []
        self.source_results = []

    def __str__(self):
        return f'PolicyResult passing={self.passing} messages={self.messages}'

    def __repr__(self):
        return str(self)


def _tsr_apply(changed, gone):
    for key in gone:
        context.pop(key, None)
    context.update(changed)


def ak_call_policy(name, *positional, **fields):
    if positional:
        raise TypeError(f'PolicyEvaluator.expr_func_call_policy() takes 1 positional argument but {1 + _tsr_len(positional)} were given')
    context.update(fields)
    answer = _tsr_host('call_policy', {'name': str(name), 'context': _tsr_json(context)})
    _tsr_apply(answer['changed'], answer['gone'])
    return PolicyResult(answer['passing'], answer['messages'])


#: create_event ; ak_create_event ; plain,start_request
def ak_create_event(action, **fields):
    about = {'context': _tsr_plain(context), 'request': _tsr_plain(request),
             'ak_client_ip': _tsr_input['client_ip'], 'ak_is_sso_flow': _tsr_plain(ak_is_sso_flow)}
    about.update({k: _tsr_plain(v) for k, v in fields.items()})
    _tsr_host('create_event', {'action': str(action), 'context': about})
