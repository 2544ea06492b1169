# The end of the beginning: the program asks for its input, and waits here until there is one.

#: start ; * ;
_tsr_input = _tsr_native('input')
context = _tsr_input['context']
ak_is_sso_flow = context.get('is_sso', False)


#: start_address ; ak_client_ip ; address
if _tsr_input['client_ip'] is not None:
    ak_client_ip = ip_address(_tsr_input['client_ip'])


#: start_http ; http ; thing,models
http_request = None
if _tsr_input['http'] is not None:
    if _tsr_input['http']['user'] is None:
        http_request = WSGIRequest(_tsr_input['http'], AnonymousUser())
    else:
        http_request = WSGIRequest(_tsr_input['http'], _TsrThing(**_tsr_input['http']['user']))


#: start_request ; request ; models,request
request = PolicyRequest(
    AnonymousUser() if _tsr_input['user'] is None else User(_tsr_input['user']),
    http_request, context, _tsr_input['debug'])


#: start_user ; user ; models
if _tsr_input['wants_value']:
    user = AnonymousUser() if _tsr_input['user'] is None else User(_tsr_input['user'])


#: start_prompt ; prompt_context ;
if _tsr_input['wants_value']:
    prompt_context = context.get('prompt_context', {})


#: start_plan ; flow_plan,pending_user ; thing,models
if 'flow_plan' in context:
    context['flow_plan'] = _TsrThing(**context['flow_plan'])
    if 'pending_user' in context:
        context['flow_plan'].context['pending_user'] = context['pending_user']
if 'pending_user' in context and _tsr_input['user'] is not None:
    _tsr_pending = User(_tsr_input['user'])
    if 'auth_method' in context:
        _tsr_pending.backend = context['auth_method']
    context['pending_user'] = _tsr_pending
    if 'flow_plan' in context:
        context['flow_plan'].context['pending_user'] = _tsr_pending
